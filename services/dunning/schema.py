"""The schema that dunning works in."""

from pathlib import Path

import pipeline
from runtime.migrations import ServiceSchema

_SQL = Path(__file__).parent / "sql"

MIGRATIONS = ServiceSchema(
    service="dunning",
    schema="dunning",
    folders=(Path(pipeline.__path__[0]) / "sql" / "migrations", _SQL / "migrations", _SQL / "views"),
)
"""The schema and its migrations. The last folder holds the views of `analytics`, which a shadow goes without."""
