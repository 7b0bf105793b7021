"""The schema that the poller works in."""

from pathlib import Path

import pipeline
from runtime.migrations import ServiceSchema

_SQL = Path(__file__).parent / "sql"

MIGRATIONS = ServiceSchema(
    service="poller",
    schema="poller",
    folders=(Path(pipeline.__path__[0]) / "sql" / "migrations", _SQL / "migrations"),
)
