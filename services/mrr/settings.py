"""Settings of mrr."""

from typing import ClassVar

from pydantic import Field

from pipeline.worker import SourceName
from runtime.settings import ServiceSettings


class MrrSettings(ServiceSettings):
    """What mrr takes beside what every service takes."""

    service: ClassVar[str] = "mrr"

    source: SourceName = Field(default="faust", description="What reads Kafka: faust or kafka-python.")
