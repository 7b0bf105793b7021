"""What people decided, as far as dunning goes by it: an image of `control.decision.v1`.

The details are those of `schemas.events.decisions`. A decision counts from `effective_at` on; where two say different
things the later one stands. An image holds what the whole workspace decided and what was decided about one customer
or user.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec

from schemas.errors import InvalidDecision
from schemas.events.control import Decision
from schemas.events.decisions import (
    KINDS,
    AboutSomebody,
    Detail,
    DunningPolicy,
    DunningSender,
    DunningSending,
    DunningText,
    WorkspaceSettings,
    read_detail,
)
from schemas.events.dunning_texts import EmailText, Tone, Variant
from schemas.subjects import product_subject, stripe_subject
from services.dunning.policy import Policy

Mode = Literal["on", "shadow", "off"]
CONCERNING = frozenset(
    name for name in KINDS if name.startswith("dunning.") or name in {"workspace.settings", "connection.ended"}
)
"""The kinds that dunning goes by."""

D = TypeVar("D", bound=Detail)


class Ruling(msgspec.Struct, frozen=True):
    """A decision that dunning goes by. `subject` is whom alone it is about; None: the whole workspace."""

    id: str
    kind: str
    at: datetime
    subject: str | None
    connection_id: str | None
    decided_by: str
    why: str | None
    detail: Detail


def ruling_of(decision: Decision) -> Ruling | None:
    """The decision as dunning sees it, None where it does not concern dunning; raises InvalidDecision."""
    if decision.kind not in CONCERNING:
        return None
    detail = read_detail(decision.kind, decision.detail)
    if isinstance(detail, DunningPolicy):
        _must_make_sense(detail)
    return Ruling(
        id=decision.decision_id,
        kind=decision.kind,
        at=decision.effective_at,
        subject=_subject(decision, detail),
        connection_id=decision.connection_id,
        decided_by=decision.decided_by,
        why=decision.why,
        detail=detail,
    )


def _subject(decision: Decision, detail: Detail) -> str | None:
    if not isinstance(detail, AboutSomebody):
        return None
    if detail.customer_id and decision.connection_id:
        return stripe_subject(decision.connection_id, detail.customer_id)
    if detail.user_id:
        return product_subject(decision.workspace_id, user_id=detail.user_id)
    if detail.names_somebody() and not detail.customer_id:
        return None  # an address, whoever has it
    raise InvalidDecision(f"the decision {decision.kind} names neither a customer with its connection nor a user")


class Image(msgspec.Struct, frozen=True):
    """What was decided of a workspace and of one subject of it, in the order in which it counts."""

    rulings: tuple[Ruling, ...] = ()

    @classmethod
    def of(cls, rulings: Iterable[Ruling]) -> "Image":
        """The image of these rulings, each once, in the order in which they count."""
        return cls(tuple(sorted({ruling.id: ruling for ruling in rulings}.values(), key=lambda r: (r.at, r.id))))

    def until(self, now: datetime) -> "Image":
        """What counts at an instant."""
        return Image(tuple(ruling for ruling in self.rulings if ruling.at <= now))

    def after(self, now: datetime) -> tuple[Ruling, ...]:
        """What will count later."""
        return tuple(ruling for ruling in self.rulings if ruling.at > now)

    def acts(self, *kinds: str) -> Iterator[Ruling]:
        """The decisions of these kinds, in order."""
        return (ruling for ruling in self.rulings if ruling.kind in kinds)

    def each(self, detail: type[D], kind: str | None = None) -> Iterator[tuple[Ruling, D]]:
        """The decisions whose detail is of a type, in order; of one kind only, where several have that type."""
        for ruling in self.rulings:
            if isinstance(ruling.detail, detail) and kind in {None, ruling.kind}:
                yield ruling, ruling.detail

    def last(self, detail: type[D]) -> D | None:
        """The one that stands."""
        return next((found for ruling in reversed(self.rulings) if isinstance(found := ruling.detail, detail)), None)

    @property
    def mode(self) -> Mode:
        """Whether emails go. Without a sender that passed its test nothing does."""
        sending = self.last(DunningSending)
        mode: Mode = sending.mode if sending is not None else "off"
        return "off" if mode == "on" and self.sender is None else mode

    @property
    def sender(self) -> DunningSender | None:
        """Whom emails are from; None before a test of it arrived."""
        sender = self.last(DunningSender)
        return sender if sender is not None and sender.passed else None

    @property
    def settings(self) -> WorkspaceSettings:
        """How the company presents itself: every field as it was last given."""
        known: dict[str, Any] = {}
        for _, detail in self.each(WorkspaceSettings):
            known |= detail.model_dump(exclude_none=True)
        return WorkspaceSettings.model_construct(**known)

    def text(self, variant: Variant, tone: Tone) -> EmailText | None:
        """The workspace's own words of an email; None where the usual ones hold."""
        own = (detail for _, detail in self.each(DunningText) if (detail.variant, detail.tone) == (variant, tone))
        last = next(reversed([*own]), None)
        return last.text if last else None

    @property
    def policy(self) -> Policy:
        """The policy that holds."""
        policy = Policy()
        for _, change in self.each(DunningPolicy):
            policy = _folded(policy, change.model_dump(exclude_none=True))
        zone = self.settings.timezone
        return policy if zone is None else _folded(policy, {"timezone": zone})

    def ended_at(self, connection_id: str | None) -> datetime | None:
        """When the connection was ended."""
        ends = (ruling.at for ruling in self.acts("connection.ended") if ruling.connection_id == connection_id)
        return next(ends, None) if connection_id else None


def _must_make_sense(change: DunningPolicy) -> None:
    try:
        _changed(Policy(), change.model_dump(exclude_none=True))
    except ValueError as error:
        raise InvalidDecision(str(error)) from error


def _changed(policy: Policy, given: Mapping[str, Any]) -> Policy:
    """The policy with the settings; raises ValueError where the outcome makes no sense."""
    return Policy(**{**msgspec.structs.asdict(policy), **given})


def _folded(policy: Policy, given: Mapping[str, Any]) -> Policy:
    """Each change is checked when it is read; one that does not go with those before it, or names a zone that this
    machine does not know, has no effect."""
    try:
        return _changed(policy, given)
    except ValueError:
        return policy
