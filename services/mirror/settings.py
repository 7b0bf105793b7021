"""Settings of the mirror."""

from typing import ClassVar

from pydantic import Field

from pipeline.worker import SourceName
from runtime.settings import ServiceSettings


class MirrorSettings(ServiceSettings):
    """What the mirror takes beside what every service takes."""

    service: ClassVar[str] = "mirror"

    source: SourceName = Field("kafka-python", description="What reads Kafka: kafka-python or faust.")
