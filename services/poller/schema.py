"""The schema that the poller works in."""

from pathlib import Path

from runtime.migrations import ServiceSchema

_SQL = Path(__file__).parent / "sql"

MIGRATIONS = ServiceSchema(
    service="poller",
    schema="poller",
    folders=(_SQL / "migrations",),
)
