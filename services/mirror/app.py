"""The mirror's process: its processor, run by the pipeline."""

from pipeline.worker import run_consumer
from runtime.service import Frame, run_service
from services.mirror.processor import MirrorProcessor
from services.mirror.settings import MirrorSettings


def serve(settings: MirrorSettings, frame: Frame) -> None:
    """Consume until told to stop."""
    run_consumer(MirrorProcessor(), settings, frame, source=settings.source)


def main() -> int:
    """Run the mirror; returns the process's exit code."""
    return run_service(MirrorSettings, serve)
