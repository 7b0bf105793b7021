"""The first sync's parts and how far each was read: rows that survive a kill."""

from collections.abc import Collection, Sequence
from datetime import datetime

from runtime.database import Connection
from services.poller.first_sync.first_minute import Task, tasks
from services.poller.first_sync.ranges import Shard
from services.poller.kinds import Kind
from services.poller.reading.capabilities import Capabilities
from services.poller.statements import statement
from services.poller.status import update_status
from services.poller.steady.plan import HOT, Cursor
from services.poller.store import move_cursor


def load_shards(conn: Connection, connection_id: str) -> list[Shard]:
    rows = conn.execute(statement("shards"), {"connection_id": connection_id})
    return [Shard(*row) for row in rows]


def plan_shards(conn: Connection, connection_id: str, tasks: Sequence[Task]) -> tuple[list[Shard], bool]:
    """The shards of an earlier run, and one for every task that has none yet; and whether there was an earlier run."""
    there = load_shards(conn, connection_id)
    begun = {shard.task for shard in there}
    fresh = [
        Shard(task.name, 0, task.query.created_from, task.query.created_before)
        for task in tasks
        if task.name not in begun
    ]
    add_shards(conn, connection_id, fresh)
    return [*there, *fresh], bool(there)


def plan_missed(
    conn: Connection,
    connection_id: str,
    kinds: Collection[Kind],
    found: Capabilities,
    *,
    as_of: int,
    history_days: int,
    now: datetime,
) -> bool:
    """Plan what was missed of kinds that a synced connection can read only now; gives whether anything is to be read,
    of this plan or of one before.

    Polls go on from `as_of`, the server's present in Unix seconds: what is created after it is theirs. `now` is domain
    time.
    """
    wanted = [task for task in tasks(found, as_of=as_of, history_days=history_days) if task.query.kind in kinds]
    shards, _ = plan_shards(conn, connection_id, wanted)
    if wanted:
        update_status(conn, connection_id, now=now, progress={})
        for letter in (letter for letter, kind in HOT.items() if kind in kinds):
            move_cursor(conn, connection_id, letter, Cursor(at=as_of))
    return bool(shards)


def add_shards(conn: Connection, connection_id: str, shards: Sequence[Shard]) -> None:
    if not shards:
        return
    columns = {
        "connection_id": connection_id,
        "tasks": [shard.task for shard in shards],
        "numbers": [shard.number for shard in shards],
        "froms": [shard.created_from for shard in shards],
        "befores": [shard.created_before for shard in shards],
    }
    conn.execute(statement("add_shards"), columns)


def move_shard(conn: Connection, connection_id: str, moved: dict[str, object]) -> None:
    """Write a shard's columns, as `Shard.moved` gave them when its page was read."""
    conn.execute(statement("move_shard"), {"connection_id": connection_id, **moved})


def forget_shards(conn: Connection, connection_id: str) -> None:
    """The first sync is complete."""
    conn.execute(statement("forget_shards"), {"connection_id": connection_id})
