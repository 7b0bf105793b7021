"""Cutting a long list into shards by creation time, so that its pages can be read side by side. Pure.

How many objects there are is not known beforehand. A shard that has shown a page knows its density; whenever there
is room for another reader, the older part of what it still has to read becomes a shard of its own. Each cut costs
at most one page that is not full, so cuts are made only where several pages are left.
"""

from dataclasses import dataclass

WORTH_CUTTING_PAGES = 3.0
GUESSED_PAGES = 6.0


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


@dataclass(frozen=True, slots=True)
class Span:
    """What a shard has still to read: created from and including `since` (None: no bound), before `until`."""

    since: int | None
    until: int


def pages_left(rest: Span, *, seconds_per_page: float) -> float:
    """How many pages a span holds if it is as dense as the last page; a guess where it has no lower bound."""
    if rest.since is None:
        return GUESSED_PAGES
    return max(0.0, (rest.until - rest.since) / max(seconds_per_page, 1.0))


def cut(rest: Span, *, seconds_per_page: float) -> tuple[Span, Span] | None:
    """(what the shard keeps, what another takes over), newer part first; None where it is not worth it.

    The two meet at a whole second and never overlap.
    """
    pages = pages_left(rest, seconds_per_page=seconds_per_page)
    if pages < WORTH_CUTTING_PAGES:
        return None
    middle = rest.until - max(1, round(seconds_per_page * pages / 2))
    if rest.since is not None and middle <= rest.since:
        return None
    return Span(middle, rest.until), Span(rest.since, middle)
