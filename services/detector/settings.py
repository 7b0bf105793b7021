"""Settings of the detector."""

from typing import ClassVar

from pydantic import Field

from pipeline.worker import SourceName
from runtime.settings import ServiceSettings


class DetectorSettings(ServiceSettings):
    """What the detector takes beside what every service takes."""

    service: ClassVar[str] = "detector"

    source: SourceName = Field("faust", description="What reads Kafka: faust or kafka-python.")
