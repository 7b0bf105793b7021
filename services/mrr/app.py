"""mrr's process: its core and store, run by the pipeline, and the schema that it works in."""

from pathlib import Path

import pipeline
from pipeline.worker import run_consumer
from runtime.migrations import ServiceSchema
from runtime.service import Frame, run_service
from services.mrr.processor import mrr
from services.mrr.settings import MrrSettings

_SQL = Path(__file__).parent / "sql"

MIGRATIONS = ServiceSchema(
    service="mrr",
    schema="mrr",
    folders=(Path(pipeline.__path__[0]) / "sql" / "migrations", _SQL / "migrations", _SQL / "views"),
)
"""The schema and its migrations. The last folder holds the views of `analytics`, which a shadow goes without."""


def serve(settings: MrrSettings, frame: Frame) -> None:
    """Consume until told to stop."""
    run_consumer(mrr(), settings, frame, source=settings.source)


def main() -> int:
    """Run mrr; returns the process's exit code."""
    return run_service(MrrSettings, serve)
