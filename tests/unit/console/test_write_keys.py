"""The memory before the table of write keys."""

from datetime import UTC, datetime

from services.console.write_keys import MOST, REMEMBERED_S, WriteKeys

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Table:
    """Keys by name, and how often it was asked."""

    def __init__(self, **keys: str) -> None:
        self.keys = keys
        self.asked = 0

    def __call__(self, key: str, at: datetime) -> str | None:
        self.asked += 1
        return self.keys.get(key)


def test_a_good_key_is_asked_for_once_in_a_while() -> None:
    now, table = [0.0], Table(wk_1="ws_1")
    keys = WriteKeys(table, time=lambda: now[0])
    assert [keys.workspace_of("wk_1", NOON) for _ in range(3)] == ["ws_1"] * 3
    assert table.asked == 1
    now[0] = REMEMBERED_S
    del table.keys["wk_1"]
    assert keys.workspace_of("wk_1", NOON) is None


def test_a_key_that_was_revoked_here_is_refused_at_once() -> None:
    table = Table(wk_1="ws_1")
    keys = WriteKeys(table, time=lambda: 0.0)
    keys.workspace_of("wk_1", NOON)
    del table.keys["wk_1"]
    keys.forget()
    assert keys.workspace_of("wk_1", NOON) is None


def test_a_key_that_is_unknown_is_not_remembered() -> None:
    table = Table()
    keys = WriteKeys(table, time=lambda: 0.0)
    assert keys.workspace_of("wk_1", NOON) is None
    table.keys["wk_1"] = "ws_1"
    assert keys.workspace_of("wk_1", NOON) == "ws_1"


def test_the_memory_is_bounded() -> None:
    table = Table(**{f"wk_{number}": "ws_1" for number in range(3 * MOST)})
    keys = WriteKeys(table, time=lambda: 0.0)
    for key in table.keys:
        assert keys.workspace_of(key, NOON) == "ws_1"
    assert keys.remembered <= MOST
