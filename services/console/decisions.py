"""What people decide: checked, kept and put on `control.decision.v1` in one transaction, and read back."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from pipeline.outbox import row_of, write_rows
from pipeline.processor import Message
from runtime.clock import Clock
from runtime.database import Connection as Db
from runtime.database import Pool
from schemas.catalogue import CONTROL_DECISION
from schemas.errors import InvalidDecision
from schemas.events.control import Decision
from schemas.events.decisions import (
    LEAD,
    USUAL_DUNNING,
    DunningAllowList,
    DunningPolicy,
    DunningSender,
    DunningSending,
    DunningText,
    MrrPolicy,
    SignalThresholds,
    WorkspaceSettings,
    check_decision,
    kind_named,
)
from schemas.events.dunning_texts import EmailText, Tone, Variant
from schemas.events.mrr_policy import is_named_otherwise
from schemas.subjects import kept_key
from services.console.errors import Refused
from services.console.identifiers import mint_id
from services.console.sql import statements
from services.console.store import BORROW_WITHIN_S, SCHEMA

SOURCE = "dropfix/console"
HISTORY = 50
USUAL_HISTORY_DAYS = 30
"""What the detector goes by where nothing was decided."""
_IN_PARTS = frozenset({"workspace.settings", "signals.thresholds"})
"""Kinds whose decisions each change some fields, and leave the others as they were."""
_SETTINGS = (*_IN_PARTS, "dunning.policy", "dunning.sender", "dunning.sending", "dunning.allow_list", "dunning.text")
_MAX_WHY = 500
_SQL = statements("decisions")


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as the history shows it: who made it (an e-mail address, or `operator`), and its kind in words."""

    decision: Decision
    by: str

    @property
    def details(self) -> list[tuple[str, str]]:
        """What was given, in words: (field, value)."""
        return [(name.replace("_", " "), _in_words(value)) for name, value in self.decision.detail.items()]

    @property
    def label(self) -> str:
        """The kind in words; its name where it is one that is no more."""
        try:
            return kind_named(self.decision.kind).label
        except InvalidDecision:
            return self.decision.kind


@dataclass(frozen=True, slots=True)
class Decided:
    """What a workspace has set, as last decided. `texts` are the emails that it worded itself; `pending_from` is when
    the last of it begins to count, if that is still ahead."""

    settings: WorkspaceSettings = field(default_factory=WorkspaceSettings)
    thresholds: SignalThresholds = field(default_factory=SignalThresholds)
    policy: DunningPolicy = USUAL_DUNNING
    sender: DunningSender | None = None
    sending: DunningSending | None = None
    allowed: tuple[str, ...] = ()
    texts: Mapping[tuple[Variant, Tone], EmailText] = field(default_factory=dict)
    pending_from: datetime | None = None

    @property
    def history_days(self) -> int:
        """How far back signals open, as decided or as usual."""
        return USUAL_HISTORY_DAYS if self.thresholds.history_days is None else self.thresholds.history_days

    @property
    def mode(self) -> str:
        """Whether emails go, as decided: on, shadow or off."""
        return self.sending.mode if self.sending else "off"

    @property
    def waits_for_sender(self) -> bool:
        """Whether sending is on, and nothing goes all the same: no sender has passed its test."""
        return self.mode == "on" and not (self.sender and self.sender.passed)


def _in_words(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(inner)}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


class Decisions:
    """The decisions of all workspaces; every method names one, and sees no other."""

    def __init__(
        self,
        pool: Pool,
        *,
        clock: Clock,
        decided: Callable[[], None],
        has_passed: Callable[[Db, str, str], bool],
        is_live: Callable[[Db, str], bool],
    ) -> None:
        """`decided` is called after a commit that left a decision in the outbox; `has_passed` says whether a test
        email of a workspace went from an address, `is_live` in which mode a workspace works."""
        self._pool = pool
        self._clock = clock
        self._decided = decided
        self._has_passed = has_passed
        self._is_live = is_live

    def decide(
        self,
        workspace_id: str,
        kind: str,
        detail: Mapping[str, Any],
        *,
        decided_by: str,
        connection_id: str | None = None,
        why: str | None = None,
    ) -> Decision:
        """Check a decision, keep it and have it published; raises Refused saying what is wrong with it."""
        checked = _checked(kind, detail, connection_id)
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            if connection_id is not None:
                _must_be_of(db, workspace_id, connection_id)
            if kind == "dunning.sender" and checked.get("passed"):
                self._must_have_passed(db, workspace_id, checked["address"])
            if kind == "mrr.policy":
                _must_be_named_anew(db, workspace_id, checked)
            if kind == "dunning.recorded":
                checked = self._of_its_mode(db, workspace_id, checked)
            decision = new_decision(
                self._clock, workspace_id, kind, checked, decided_by=decided_by, connection_id=connection_id, why=why
            )
            write_decision(db, decision)
        self._decided()
        return decision

    def _must_have_passed(self, db: Db, workspace_id: str, address: str) -> None:
        """Nobody can say of an address that its test arrived before one went from it."""
        known = self._decided_in(db, workspace_id).sender
        if known is not None and known.passed and known.address == address:
            return
        if not self._has_passed(db, workspace_id, address):
            raise Refused(
                "not_tested",
                f"No test email went from {address} yet.",
                "Send one, look whether it arrived, and then say so.",
                HTTPStatus.CONFLICT,
            )

    def _of_its_mode(self, db: Db, workspace_id: str, recorded: dict[str, Any]) -> dict[str, Any]:
        """What was recorded by hand, in the mode that the workspace works in; test mode may be asked for, and live
        mode not where there is a test account alone."""
        live = self._is_live(db, workspace_id)
        if recorded.get("livemode") and not live:
            raise Refused(
                "test_mode",
                "This workspace has nothing but a test account, and in test mode no customer is emailed.",
                "Leave livemode out, or connect the live account first.",
                HTTPStatus.CONFLICT,
            )
        return {"livemode": live, **recorded}

    def history(self, workspace_id: str, after: tuple[str, str] | None = None) -> list[Entry]:
        """Decisions, the latest first; at most HISTORY of them, those before `after` (decided at, id)."""
        after_at, after_id = after or (None, None)
        parameters = {"workspace_id": workspace_id, "after_at": after_at, "after_id": after_id, "limit": HISTORY}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            rows = db.execute(_SQL["history"], parameters).fetchall()
        return [Entry(_decision_of(row[:9]), by=row[9] or row[5]) for row in rows]

    def is_suppressed(self, workspace_id: str, whom: Mapping[str, str], *, connection_id: str | None) -> bool:
        """Whether the customer of a connection, or the user, that `whom` names is not to be mailed already."""
        parameters = {"workspace_id": workspace_id, "connection_id": connection_id, "whom": Jsonb(dict(whom))}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            row = db.execute(_SQL["is_suppressed"], parameters).fetchone()
        return bool(row and row[0])

    def suppressed(self, workspace_id: str, emails: Iterable[str]) -> set[str]:
        """Those of these addresses (lower case) that are not to be mailed already."""
        parameters = {"workspace_id": workspace_id, "emails": list(emails)}
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            return {str(email) for (email,) in db.execute(_SQL["suppressed"], parameters)}

    def decided(self, workspace_id: str) -> Decided:
        """What the workspace has set."""
        with self._pool.connection(timeout=BORROW_WITHIN_S) as db:
            return self._decided_in(db, workspace_id)

    def _decided_in(self, db: Db, workspace_id: str) -> Decided:
        rows = db.execute(_SQL["of_kinds"], {"workspace_id": workspace_id, "kinds": list(_SETTINGS)}).fetchall()
        return decided_of(rows, self._clock.now())


def decided_of(rows: list[tuple[Any, ...]], now: datetime) -> Decided:
    """(kind, detail, effective at), in the order in which they count, folded: every field as it was last given."""
    given: dict[str, dict[str, Any]] = {}
    for kind, detail, _ in rows:
        before = given.get(kind, {}) if kind in _IN_PARTS else {}
        given[kind] = {**before, **_told(detail)}
    ahead = [effective_at for _, _, effective_at in rows if effective_at > now]
    sender, sending = given.get("dunning.sender"), given.get("dunning.sending")
    return Decided(
        settings=WorkspaceSettings(**given.get("workspace.settings", {})),
        thresholds=SignalThresholds(**given.get("signals.thresholds", {})),
        policy=_policy_of(detail for kind, detail, _ in rows if kind == "dunning.policy"),
        sender=DunningSender(**sender) if sender else None,
        sending=DunningSending(**sending) if sending else None,
        allowed=DunningAllowList(**given.get("dunning.allow_list", {"entries": ()})).entries,
        texts=_texts_of(detail for kind, detail, _ in rows if kind == "dunning.text"),
        pending_from=max(ahead, default=None),
    )


def _texts_of(changes: Iterable[Mapping[str, Any]]) -> dict[tuple[Variant, Tone], EmailText]:
    """By email the words that it was given last, of those that were not taken back."""
    said = [DunningText.model_validate(detail) for detail in changes]
    last = {(one.variant, one.tone): one.text for one in said}
    return {which: text for which, text in last.items() if text is not None}


def _policy_of(changes: Iterable[Mapping[str, Any]]) -> DunningPolicy:
    """The policy that holds. A change that does not go with those before it has no effect, as in dunning itself."""
    policy = USUAL_DUNNING
    for change in changes:
        try:
            policy = DunningPolicy(**{**policy.model_dump(), **_told(change)})
        except ValidationError:
            continue
    return policy


def _told(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What a detail says: a null is something left out, to the services as well."""
    return {name: value for name, value in detail.items() if value is not None}


def new_decision(
    clock: Clock,
    workspace_id: str,
    kind: str,
    detail: Mapping[str, Any],
    *,
    decided_by: str,
    connection_id: str | None = None,
    why: str | None = None,
) -> Decision:
    """A decision made now. What sets a policy or a threshold counts from LEAD on: a minute of the machine's time."""
    now = clock.now()
    lead = LEAD * clock.rate if kind_named(kind).ahead else LEAD * 0
    return Decision(
        decision_id=mint_id("dec", clock.machine_now()),
        workspace_id=workspace_id,
        connection_id=connection_id,
        kind=kind,
        detail=dict(detail),
        decided_by=decided_by,
        why=why.strip()[:_MAX_WHY] or None if why else None,
        decided_at=now,
        effective_at=now + lead,
    )


def write_decision(db: Db, decision: Decision) -> None:
    """Keep the decision, and have it published: in the transaction that carries it out."""
    row = decision.model_dump()
    db.execute(_SQL["add"], {**row, "detail": Jsonb(row["detail"])})
    message = Message(
        topic=CONTROL_DECISION,
        subject=decision.workspace_id,
        key=kept_key(decision.workspace_id, decision.decision_id, 1),
        id=decision.decision_id,
        workspace_id=decision.workspace_id,
        value=decision.encode(),
        time=decision.decided_at,
        connection_id=decision.connection_id,
        object_id=decision.decision_id,
    )
    write_rows(db, SCHEMA, [row_of(message, source=SOURCE)])


def _checked(kind: str, detail: Mapping[str, Any], connection_id: str | None) -> dict[str, Any]:
    try:
        by_its_act = kind_named(kind).by_its_act
        checked = check_decision(kind, detail, connection_id=connection_id)
    except InvalidDecision as error:
        raise Refused("bad_decision", f"{error}.", "", HTTPStatus.UNPROCESSABLE_ENTITY) from None
    if by_its_act:
        raise Refused(
            "made_by_its_act",
            f"{kind} is decided by doing it.",
            "Connect or disconnect the account instead.",
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    return checked


def _must_be_of(db: Db, workspace_id: str, connection_id: str) -> None:
    row = db.execute(
        _SQL["connection_is_of"], {"workspace_id": workspace_id, "connection_id": connection_id}
    ).fetchone()
    if row is None or not row[0]:
        raise Refused("no_connection", "There is no such connection here.", "See the status.", HTTPStatus.NOT_FOUND)


def _must_be_named_anew(db: Db, workspace_id: str, detail: Mapping[str, Any]) -> None:
    """A version names one policy for ever: mrr takes no other under it. Nobody else names one meanwhile."""
    db.execute(_SQL["lock_policies"], {"workspace_id": workspace_id})
    terms = MrrPolicy.model_validate(detail).policy
    rows = db.execute(_SQL["of_kinds"], {"workspace_id": workspace_id, "kinds": ["mrr.policy"]})
    if is_named_otherwise(terms, (MrrPolicy.model_validate(said).policy for _, said, _ in rows)):
        raise Refused(
            "version_is_taken",
            f"{terms.version} is the name of another policy already.",
            "Give this one the next number.",
            HTTPStatus.CONFLICT,
        )


def _decision_of(row: tuple[Any, ...]) -> Decision:
    names = (
        "decision_id",
        "workspace_id",
        "connection_id",
        "kind",
        "detail",
        "decided_by",
        "why",
        "decided_at",
        "effective_at",
    )
    return Decision(**dict(zip(names, row, strict=True)))
