"""Which workspace a write key is of, asked for every message: remembered for a moment."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from time import monotonic

from services.console.identifiers import digest

REMEMBERED_S = 5.0
"""How long another process may go on taking a key that was revoked in this one."""
MOST = 1_000


class WriteKeys:
    """A memory before `look`, which gives a key's workspace from the table. Safe among threads.

    Only keys that are good are remembered, by their digest.
    """

    def __init__(self, look: Callable[[str, datetime], str | None], *, time: Callable[[], float] = monotonic) -> None:
        self._look = look
        self._time = time
        self._known: dict[bytes, tuple[str, float]] = {}
        self._lock = Lock()

    def workspace_of(self, key: str, at: datetime) -> str | None:
        """The workspace of a key, None where it is unknown or revoked. `at` is machine time."""
        name, now = digest(key), self._time()
        with self._lock:
            workspace_id, until = self._known.get(name, ("", 0.0))
        if now < until:
            return workspace_id
        found = self._look(key, at)
        if found is not None:
            self._remember(name, found, now)
        return found

    @property
    def remembered(self) -> int:
        """How many keys are remembered now."""
        return len(self._known)

    def forget(self) -> None:
        """A key was revoked: ask the table again."""
        with self._lock:
            self._known.clear()

    def _remember(self, name: bytes, workspace_id: str, now: float) -> None:
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[name] = (workspace_id, now + REMEMBERED_S)
