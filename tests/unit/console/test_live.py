"""The listener behind live updates: who is told, and of what."""

import asyncio
from collections import defaultdict

import pytest

from runtime.database import Database
from runtime.health import Health
from services.console.live import LiveUpdates

NOWHERE = Database("postgresql://nowhere.invalid/none", "control", "test")


class Figures:
    """Figures that a test changes; counts how often each workspace was looked at."""

    def __init__(self) -> None:
        self.now: dict[str, int] = defaultdict(int)
        self.looks: dict[str, int] = defaultdict(int)

    def __call__(self, workspace_id: str) -> object:
        self.looks[workspace_id] += 1
        return self.now[workspace_id]


def _fail(error: BaseException) -> None:
    raise error


def live_updates(figures: Figures) -> LiveUpdates:
    """Live updates that are not started: a test says when they look."""
    return LiveUpdates(NOWHERE, figures, health=Health("console"), failed=_fail)


@pytest.fixture
def figures() -> Figures:
    return Figures()


def test_only_pages_of_the_workspace_that_changed_are_told(figures: Figures) -> None:
    async def scenario() -> tuple[bool, bool]:
        live = live_updates(figures)
        with live.page("mine") as mine, live.page("theirs") as theirs:
            live.look_around()
            await asyncio.sleep(0)
            mine.changed.clear()
            theirs.changed.clear()
            figures.now["mine"] += 1
            live.look_around()
            await asyncio.sleep(0)
            return mine.changed.is_set(), theirs.changed.is_set()

    assert asyncio.run(scenario()) == (True, False)


def test_a_workspace_is_looked_at_once_for_all_its_pages_and_never_without_one(figures: Figures) -> None:
    async def scenario() -> None:
        live = live_updates(figures)
        live.look_around()
        with live.page("mine"), live.page("mine"):
            live.look_around()
        live.look_around()

    asyncio.run(scenario())
    assert figures.looks == {"mine": 1}


def test_a_page_that_opens_fetches_what_it_may_have_missed(figures: Figures) -> None:
    async def scenario() -> bool:
        with live_updates(figures).page("mine") as page:
            return await anext(page.changes(every_s=1))

    assert asyncio.run(scenario()) is True


def test_a_quiet_page_hears_a_heartbeat(figures: Figures) -> None:
    async def scenario() -> list[bool]:
        with live_updates(figures).page("mine") as page:
            changes = page.changes(every_s=0.01)
            return [await anext(changes), await anext(changes)]

    assert asyncio.run(scenario()) == [True, False]
