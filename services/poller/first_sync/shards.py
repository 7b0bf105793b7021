"""The first sync's parts and how far each was read: rows that survive a kill."""

from collections.abc import Sequence

from runtime.database import Connection
from services.poller.first_sync.first_minute import Task
from services.poller.first_sync.ranges import Shard
from services.poller.statements import statement


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
