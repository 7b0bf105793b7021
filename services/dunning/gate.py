"""The gate: nothing goes out before the log was read to its end, and only from the database that is armed."""

from pipeline.log import LogReader
from pipeline.records import LogPartition
from pipeline.session import Session
from runtime.clock import Clock
from runtime.database import Connection
from runtime.logs import get_logger
from schemas.catalogue import CONTROL_DECISION, DUNNING_EVENT
from services.dunning import arming

log = get_logger(__name__)

_PLACES = [LogPartition(t.name, p) for t in (CONTROL_DECISION, DUNNING_EVENT) for p in range(t.partitions)]


class Gate:
    """Looks at most once between two calls of `close`. `reason` is why it stays closed until somebody does something;
    None: it is open, or will be once the log is read (`unread`)."""

    def __init__(self, session: Session, log_reader: LogReader, clock: Clock) -> None:
        self._session = session
        self._log = log_reader
        self._clock = clock
        self._looked = False
        self.reason: str | None = None
        self.unread: str | None = None

    def close(self) -> None:
        """Look again next time."""
        self._looked = False

    def open(self) -> str | None:
        """Why nothing may go out; None where it may. Raises PassingFault."""
        if not self._looked:
            self._look()
            self._looked = True
        return self.unread or self.reason

    def _look(self) -> None:
        """Every decision, and every email that the log tells of, counts before anything goes out."""
        ends = self._log.ends(_PLACES)
        event_ends = {place.partition: end for place, end in ends.items() if place.topic == DUNNING_EVENT.name}
        with self._session.transaction() as conn:
            reached = arming.read_to(conn, {place.topic for place in _PLACES})
            behind = sorted(
                {place.topic for place, end in ends.items() if reached.get((place.topic, place.partition), 0) < end}
            )
            self.unread = f"{' and '.join(behind)} must be read to the end first" if behind else None
            if not behind:
                self.reason = self._disarmed(conn, event_ends)

    def _disarmed(self, conn: Connection, event_ends: dict[int, int]) -> str | None:
        here, known = arming.identity_of(conn), arming.load_arming(conn)
        if known is None:
            arming.arm(conn, ends=event_ends, by=arming.BY_ITSELF, at=self._clock.machine_now())
            log.info("armed by the first sending")
            return None
        reason = arming.why_disarmed(known, here, event_ends)
        return None if reason is None else f"sending is disarmed: {reason}; `dropfix dunning arm` arms it"
