"""The schema that the detector works in."""

from pathlib import Path

import pipeline
from runtime.migrations import ServiceSchema

_SQL = Path(__file__).parent / "sql"
_PIPELINE = Path(pipeline.__path__[0]) / "sql"

MIGRATIONS = ServiceSchema(
    service="detector",
    schema="detector",
    folders=(_PIPELINE / "migrations", _PIPELINE / "decisions", _SQL / "migrations", _SQL / "views"),
)
"""The schema and its migrations. The last folder holds the views of `analytics`, which a shadow goes without."""
