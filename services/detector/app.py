"""The detector's process: its core and store, run by the pipeline."""

from pipeline.worker import run_consumer
from runtime.service import Frame, run_service
from services.detector.processor import detector
from services.detector.settings import DetectorSettings


def serve(settings: DetectorSettings, frame: Frame) -> None:
    """Consume until told to stop."""
    run_consumer(detector(), settings, frame, source=settings.source)


def main() -> int:
    """Run the detector; returns the process's exit code."""
    return run_service(DetectorSettings, serve)
