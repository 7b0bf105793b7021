"""The requests that were made to Stripe for a connection. A view that is not there yet gives None, not an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runtime.database import Pool
from services.console.figures import PAGE, Page, Place, like_literally, rows_or_none
from services.console.sql import statements
from services.console.store import BORROW_WITHIN_S

_SQL = statements("calls")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as Stripe's own log has it. `called_at` is domain time; `status` is None where no answer came."""

    call_id: str
    called_at: datetime
    endpoint: str
    parameters: Mapping[str, str]
    purpose: str
    status: int | None
    error: str | None
    request_id: str | None
    milliseconds: int
    objects: int

    @property
    def failed(self) -> bool:
        return self.status is None or self.status >= 400

    @property
    def query(self) -> str:
        """The parameters as a person reads them; expansions are told by their number."""
        shown = [f"{name}={value}" for name, value in self.parameters.items() if name != "expand"]
        if expand := self.parameters.get("expand"):
            shown.append(f"expand×{expand.count(',') + 1}")
        return f"?{'&'.join(shown)}" if shown else ""


class CallStore:
    """Reads the audit of one workspace's connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def calls(
        self,
        workspace_id: str,
        connection_id: str,
        *,
        search: str = "",
        failed: bool = False,
        after: Place | None = None,
    ) -> Page[Call]:
        """The newest requests first; `search` part of an address, or a whole request id or purpose."""
        parameters = {
            "workspace_id": workspace_id,
            "connection_id": connection_id,
            "failed": failed,
            "search": f"%{like_literally(search)}%" if search else None,
            "exactly": search,
            "after": after.value if after else None,
            "after_id": after.id if after else None,
            "limit": PAGE + 1,
        }
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = rows_or_none(db, "calls", parameters, of=_SQL)
        if rows is None:
            return Page(None)
        found = [Call(*row) for row in rows]
        more = found[PAGE - 1] if len(found) > PAGE else None
        return Page(found[:PAGE], Place(more.called_at.isoformat(), more.call_id) if more else None)
