"""What people decided, as far as dunning goes by it: the details of `control.decision.v1`, and the image of them.

Each kind has its own detail; a decision of another kind is not dunning's. A decision counts from `effective_at` on;
where two say different things the later one stands. The image holds what the whole workspace decided and what was
decided about one customer or user.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args

import msgspec

from schemas.currencies import is_currency
from schemas.events.control import Decision
from schemas.subjects import product_subject, stripe_subject
from services.dunning.policy import Policy

Mode = Literal["on", "shadow", "off"]


class _Detail(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True, omit_defaults=True):
    """What all details share. Fields that are not known are ignored."""


class WorkspaceSettings(_Detail, frozen=True, tag="workspace.settings", kw_only=True):
    """How the company presents itself, and its zone. What is left out stays as it was."""

    name: str | None = None
    timezone: str | None = None
    locale: str | None = None
    color: str | None = None
    logo_url: str | None = None
    address: str | None = None


class ConnectionEnded(_Detail, frozen=True, tag="connection.ended", kw_only=True):
    """A Stripe account was disconnected."""


class PolicyChange(_Detail, frozen=True, tag="dunning.policy", kw_only=True):
    """Settings of the policy (see Policy); what is left out stays as it was."""

    days: tuple[int, ...] | None = None
    wait_minutes: int | None = None
    first_hour: int | None = None
    last_hour: int | None = None
    gap_hours: int | None = None
    recovery_days: int | None = None
    stop_when_canceling: bool | None = None
    thresholds: dict[str, int] | None = None


class Sender(_Detail, frozen=True, tag="dunning.sender", kw_only=True):
    """Who the emails are from. It counts once `passed`: a test email from it arrived."""

    address: str
    name: str = ""
    reply_to: str | None = None
    passed: bool = False


class Sending(_Detail, frozen=True, tag="dunning.sending", kw_only=True):
    """Sending on, off, or everything but the sending itself (shadow)."""

    mode: Mode


class AllowList(_Detail, frozen=True, tag="dunning.allow_list", kw_only=True):
    """Whom test mode may mail: whole addresses, and domains as `@demo.example`. Replaces the one before."""

    entries: tuple[str, ...]

    def allows(self, address: str) -> bool:
        """Whether the address, or its domain, is on the list."""
        wanted = address.strip().lower()
        domain = wanted[wanted.rfind("@") :]
        return any(entry.strip().lower() in {wanted, domain} for entry in self.entries)


class Suppression(_Detail, frozen=True, tag="dunning.suppress", kw_only=True):
    """No more emails: to an address, or to one customer or user. `lifted` takes it back."""

    email: str | None = None
    customer_id: str | None = None
    user_id: str | None = None
    reason: str = "unsubscribed"
    lifted: bool = False


class _About(_Detail, frozen=True, kw_only=True):
    """A decision about one customer of a connection, or one user of the workspace."""

    customer_id: str | None = None
    user_id: str | None = None


class Hold(_About, frozen=True, tag="dunning.hold", kw_only=True):
    """No email until released."""


class Release(_About, frozen=True, tag="dunning.release", kw_only=True):
    """Go on: takes back a hold, and has looked at what needed a look."""


class Stop(_About, frozen=True, tag="dunning.stop", kw_only=True):
    """End the episode; its invoices stay ended, whatever their retries do."""


class Start(_About, frozen=True, tag="dunning.start", kw_only=True):
    """Start what is proposed; days are counted from here."""


class Skip(_About, frozen=True, tag="dunning.skip", kw_only=True):
    """Do not start what is proposed."""


class Resend(_About, frozen=True, tag="dunning.resend", kw_only=True):
    """Send a step's email once more, though it may have arrived."""

    episode_id: str
    step: int


class Leave(_About, frozen=True, tag="dunning.leave", kw_only=True):
    """Leave an email whose fate is unknown as it is, and go on."""

    episode_id: str
    step: int


class Recorded(_About, frozen=True, tag="dunning.recorded", kw_only=True):
    """A failed payment of a user without Stripe, recorded by hand. `amount` in minor units."""

    user_id: str
    amount: int
    currency: str
    email: str | None = None
    name: str | None = None
    failed_at: datetime | None = None
    pay_url: str | None = None
    reason: str | None = None
    number: str | None = None
    locale: str | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        if self.amount <= 0 or not is_currency(self.currency):
            raise ValueError("a recorded failure needs an amount above 0 (minor units) and a currency like usd")
        if self.failed_at is not None and self.failed_at.tzinfo is None:
            raise ValueError("failed_at needs a zone")


class Settled(_About, frozen=True, tag="dunning.settled", kw_only=True):
    """What was recorded by hand is over: paid, or not to be collected. Without `failure_id` all of the user's."""

    user_id: str
    failure_id: str | None = None
    outcome: Literal["paid", "void"] = "paid"


Detail = (
    WorkspaceSettings
    | ConnectionEnded
    | PolicyChange
    | Sender
    | Sending
    | AllowList
    | Suppression
    | Hold
    | Release
    | Stop
    | Start
    | Skip
    | Resend
    | Leave
    | Recorded
    | Settled
)
KINDS: frozenset[str] = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Detail))

D = TypeVar("D", bound=_Detail)


class Ruling(msgspec.Struct, frozen=True):
    """A decision that dunning goes by. `subject` is whom alone it is about; None: the whole workspace."""

    id: str
    at: datetime
    subject: str | None
    connection_id: str | None
    decided_by: str
    why: str | None
    detail: Detail


def detail_of(kind: str, detail: dict[str, Any]) -> Detail:
    """The detail of a decision of one of KINDS; raises ValueError saying what is wrong with it."""
    try:
        parsed: Detail = msgspec.convert({**detail, "kind": kind}, Detail)
    except msgspec.ValidationError as error:
        raise ValueError(f"the detail of the decision {kind} is wrong: {error}") from error
    if isinstance(parsed, PolicyChange):
        changed(Policy(), parsed)
    return parsed


def ruling_of(decision: Decision) -> Ruling | None:
    """The decision as dunning sees it, None where it does not concern dunning; raises ValueError."""
    if decision.kind not in KINDS:
        return None
    detail = detail_of(decision.kind, decision.detail)
    return Ruling(
        id=decision.decision_id,
        at=decision.effective_at,
        subject=_subject(decision, detail),
        connection_id=decision.connection_id,
        decided_by=decision.decided_by,
        why=decision.why,
        detail=detail,
    )


def _subject(decision: Decision, detail: Detail) -> str | None:
    if not isinstance(detail, _About | Suppression):
        return None
    if detail.customer_id and decision.connection_id:
        return stripe_subject(decision.connection_id, detail.customer_id)
    if detail.user_id:
        return product_subject(decision.workspace_id, user_id=detail.user_id)
    if isinstance(detail, Suppression) and detail.email:
        return None
    raise ValueError(f"the decision {decision.kind} names neither a customer with its connection nor a user")


class Image(msgspec.Struct, frozen=True):
    """What was decided of a workspace and of one subject of it, in the order in which it counts."""

    rulings: tuple[Ruling, ...] = ()

    @classmethod
    def of(cls, rulings: Iterable[Ruling]) -> "Image":
        return cls(tuple(sorted({ruling.id: ruling for ruling in rulings}.values(), key=lambda r: (r.at, r.id))))

    def until(self, now: datetime) -> "Image":
        """What counts at an instant."""
        return Image(tuple(ruling for ruling in self.rulings if ruling.at <= now))

    def after(self, now: datetime) -> tuple[Ruling, ...]:
        """What will count later."""
        return tuple(ruling for ruling in self.rulings if ruling.at > now)

    def each(self, kind: type[D]) -> Iterator[tuple[Ruling, D]]:
        """The decisions of one kind, in order."""
        for ruling in self.rulings:
            if isinstance(ruling.detail, kind):
                yield ruling, ruling.detail

    def last(self, kind: type[D]) -> D | None:
        """The one that stands."""
        return next((detail for ruling in reversed(self.rulings) if isinstance(detail := ruling.detail, kind)), None)

    @property
    def mode(self) -> Mode:
        """Whether emails go. Without a sender that passed its test nothing does."""
        sending = self.last(Sending)
        mode: Mode = sending.mode if sending is not None else "off"
        return "off" if mode == "on" and self.sender is None else mode

    @property
    def sender(self) -> Sender | None:
        sender = self.last(Sender)
        return sender if sender is not None and sender.passed else None

    @property
    def settings(self) -> WorkspaceSettings:
        """How the company presents itself: every field as it was last given."""
        known: dict[str, Any] = {}
        for _, detail in self.each(WorkspaceSettings):
            known |= {name: value for name, value in msgspec.structs.asdict(detail).items() if value is not None}
        return WorkspaceSettings(**known)

    @property
    def policy(self) -> Policy:
        """The policy that holds."""
        policy = Policy()
        for _, change in self.each(PolicyChange):
            policy = _folded(policy, change)
        zone = self.settings.timezone
        return policy if zone is None else _with_zone(policy, zone)

    def ended_at(self, connection_id: str | None) -> datetime | None:
        """When the connection was ended."""
        ends = (r.at for r, _ in self.each(ConnectionEnded) if connection_id and r.connection_id == connection_id)
        return next(ends, None)


def changed(policy: Policy, change: PolicyChange) -> Policy:
    """The policy with the change; raises ValueError where the outcome makes no sense."""
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    return Policy(**{**msgspec.structs.asdict(policy), **given})


def _folded(policy: Policy, change: PolicyChange) -> Policy:
    """Changes are checked one by one when they are read; one that does not go with those before it has no effect."""
    try:
        return changed(policy, change)
    except ValueError:
        return policy


def _with_zone(policy: Policy, zone: str) -> Policy:
    try:
        return Policy(**{**msgspec.structs.asdict(policy), "timezone": zone})
    except ValueError:
        return policy  # a zone that this machine does not know
