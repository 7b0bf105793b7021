"""The first sync's parts and how far each was read: rows that survive a kill."""

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.database import Connection
from services.poller.first_minute import Task
from services.poller.statements import statement


@dataclass
class Shard:
    """A part of a task's list: what was created in a range, read down to and including `after_id`. Of a search that is
    the token of its next page."""

    task: str
    number: int
    created_from: int | None
    created_before: int | None
    after_id: str | None = None
    objects: int = 0
    done: bool = False

    def moved(self) -> dict[str, object]:
        """Its row's columns, as they are now."""
        return {
            "task": self.task,
            "shard": self.number,
            "created_from": self.created_from,
            "created_before": self.created_before,
            "after_id": self.after_id,
            "objects": self.objects,
            "done": self.done,
        }


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
