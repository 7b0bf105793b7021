"""The schema that the console works in."""

from pathlib import Path

import pipeline
from runtime.migrations import ServiceSchema

_SQL = Path(__file__).parent / "sql"

MIGRATIONS = ServiceSchema(
    service="console",
    schema="control",
    folders=(Path(pipeline.__path__[0]) / "sql" / "migrations", _SQL / "migrations"),
    reads_analytics=True,
)
