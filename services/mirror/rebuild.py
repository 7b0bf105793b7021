"""How the mirror is rebuilt: what of its tables any replay gives again."""

from pipeline.rebuild.plan import Compared, Plan
from services.mirror.processor import MirrorProcessor
from services.mirror.readers import TABLES
from services.mirror.schema import MIGRATIONS

PLAN = Plan(
    schema=MIGRATIONS,
    processor=MirrorProcessor,
    tables=tuple(
        Compared(
            table.name,
            key=("connection_id", table.key),
            columns=(
                *("workspace_id", "connection_id", table.key, *table.columns),
                *("livemode", "deleted", "version", "observed_at"),
            ),
        )
        for table in TABLES.values()
    ),
)
