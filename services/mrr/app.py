"""mrr's process: its core and store, run by the pipeline, and the schema that it works in."""

from pipeline.worker import run_consumer
from runtime.service import Frame, run_service
from services.mrr.processor import mrr
from services.mrr.settings import MrrSettings


def serve(settings: MrrSettings, frame: Frame) -> None:
    """Consume until told to stop."""
    run_consumer(mrr(), settings, frame, source=settings.source)


def main() -> int:
    """Run mrr; returns the process's exit code."""
    return run_service(MrrSettings, serve)
