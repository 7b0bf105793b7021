"""The whole life of a consumer process: connect, check, seek, consume, relay, fire timers, drain."""

from typing import Any, Literal

from pipeline.processor import Processor

SourceName = Literal["faust", "kafka-python"]


def run_consumer(processor: Processor[Any], *, source: SourceName = "kafka-python") -> None:
    """Consume until SIGTERM. Settings, clock and health are added as `runtime` brings them."""
    raise NotImplementedError
