"""Arming by a person: once dunning has read its own topic to the end, this database is noted as the one that sends."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep

from pipeline.errors import PassingFault
from pipeline.log import LogReader
from pipeline.records import LogPartition
from pipeline.session import Session
from runtime.database import Database
from runtime.kafka import Broker
from schemas.catalogue import DUNNING_EVENT
from services.dunning import arming

_PLACES = [LogPartition(DUNNING_EVENT.name, partition) for partition in range(DUNNING_EVENT.partitions)]


def arm_database(
    database_url: str,
    bootstrap_servers: str,
    *,
    prefix: str = "",
    by: str,
    seconds: float = 60.0,
    pause: Callable[[float], None] = sleep,
) -> str | None:
    """Arm, waiting so long for dunning to have read `dunning.event.v1` to the end that it has at the start of the
    call; gives why it was not armed, None where it was."""
    session = Session(Database(url=database_url, schema="dunning", application="dropfix-arm"))
    log_reader = LogReader(Broker(bootstrap_servers, prefix=prefix), client_id="dropfix-arm")
    deadline = monotonic() + seconds
    try:
        ends = {place.partition: end for place, end in log_reader.ends(_PLACES).items()}
        while (behind := _behind(session, ends)) > 0:
            if monotonic() > deadline:
                return (
                    f"{behind} records of {DUNNING_EVENT.name} are not read yet; dunning reads them,"
                    " so it must run: see `dropfix status`"
                )
            pause(0.3)
        with session.transaction() as conn:
            arming.arm(conn, ends=ends, by=by, at=datetime.now(UTC))
    except PassingFault as error:
        return str(error)
    finally:
        session.close()
        log_reader.close()
    return None


def _behind(session: Session, ends: dict[int, int]) -> int:
    with session.transaction() as conn:
        reached = arming.read_to(conn, [DUNNING_EVENT.name])
    return sum(max(end - reached.get((DUNNING_EVENT.name, partition), 0), 0) for partition, end in ends.items())
