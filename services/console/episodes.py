"""Episodes and their emails from dunning's views. A view that is not there yet gives None, not an error."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.rows import TupleRow

from runtime.database import Connection as Db
from runtime.database import Pool
from services.console.figures import PAGE, Page, Place, in_scope, rows_or_none
from services.console.overview import RECENT, Scope
from services.console.recovery import AT_STAKE_NOW, AfterStep, Email, Episode, Recovery, SenderTest
from services.console.sql import statements
from services.console.store import BORROW_WITHIN_S

SENDER_TESTS = 3
_SQL = statements("episodes")


class EpisodeStore:
    """What dunning's views say of one workspace's scope. Every statement names both workspace and connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def recovery(self, workspace_id: str, scope: Scope, now: datetime) -> Recovery | None:
        """The numbers at `now` (domain time)."""
        parameters = in_scope(workspace_id, scope) | {"since": now - RECENT, "at_stake_now": list(AT_STAKE_NOW)}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            states = _rows(db, "states", parameters)
            if states is None:
                return None
            counts = _rows(db, "recovered_episodes", parameters) or [(0, 0)]
            return Recovery(
                states=_by_first(states),
                at_stake=_by_first(_rows(db, "at_stake", parameters)),
                recovered=_by_first(_rows(db, "recovered", parameters)),
                recovered_episodes=counts[0][0],
                after_an_email=counts[0][1],
                emails=_by_first(_rows(db, "emails_by_state", parameters)),
                currencies=_by_first(_rows(db, "currencies", parameters)),
            )

    def after_steps(self, workspace_id: str, scope: Scope) -> list[AfterStep]:
        """What came back after which email, of all episodes so far."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            return [AfterStep(*row) for row in _rows(db, "after_steps", in_scope(workspace_id, scope)) or ()]

    def episodes(
        self, workspace_id: str, scope: Scope, states: Sequence[str], after: Place | None = None
    ) -> Page[Episode]:
        """Episodes in any of the states, those that began or ended last first."""
        parameters = in_scope(workspace_id, scope) | {
            "states": list(states),
            "after_at": after.value if after else None,
            "after_id": after.id if after else None,
            "limit": PAGE + 1,
        }
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "episodes", parameters)
            if rows is None:
                return Page(None)
            found = _named(db, workspace_id, scope, [Episode(*row) for row in rows[:PAGE]])
        if len(rows) <= PAGE:
            return Page(found)
        last = found[-1]
        return Page(found, Place((last.ended_at or last.opened_at).isoformat(), last.episode_id))

    def episode(self, workspace_id: str, scope: Scope, episode_id: str) -> Episode | None:
        """One episode of the scope, None where there is none."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "episode", in_scope(workspace_id, scope) | {"episode_id": episode_id}) or []
            found = _named(db, workspace_id, scope, [Episode(*row) for row in rows])
        return found[0] if found else None

    def sender_tests(self, workspace_id: str) -> list[SenderTest]:
        """The latest test emails, the last first."""
        parameters = {"workspace_id": workspace_id, "limit": SENDER_TESTS}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            return [SenderTest(*row) for row in _rows(db, "sender_tests", parameters) or ()]

    def emails(self, workspace_id: str, scope: Scope, episode_id: str) -> list[Email]:
        """The emails of an episode, in their order."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = _rows(db, "emails", in_scope(workspace_id, scope) | {"episode_id": episode_id}) or ()
            return [Email(*row) for row in rows]


def has_passed(db: Db, workspace_id: str, address: str) -> bool:
    """Whether a mail server took a test email from this address."""
    rows = _rows(db, "has_passed", {"workspace_id": workspace_id, "address": address})
    return bool(rows and rows[0][0])


def _rows(db: Db, statement: str, parameters: Mapping[str, Any]) -> list[TupleRow] | None:
    return rows_or_none(db, statement, parameters, of=_SQL)


def _by_first(rows: Sequence[TupleRow] | None) -> dict[str, int]:
    return {row[0]: row[1] for row in rows or ()}


def _named(db: Db, workspace_id: str, scope: Scope, episodes: list[Episode]) -> list[Episode]:
    """With what to call the customer, in one statement whatever their number."""
    ids = sorted({each.customer_id for each in episodes if each.customer_id})
    rows = _rows(db, "names", in_scope(workspace_id, scope) | {"ids": ids}) or ()
    names = {(row[0], row[1]): row[2] for row in rows}
    return [
        replace(
            each, who=names.get((each.connection_id, each.customer_id)) or each.customer_id or each.user_id or "Unknown"
        )
        for each in episodes
    ]
