"""What a decision can be about: every kind of `control.decision.v1`, with its detail as a typed value.

The console checks a decision by this before it puts it on the topic; a consumer reads the details of the kinds that
concern it. A reader ignores fields that it does not know, a writer is refused them. Where a detail leaves a setting
out, the setting stays as it was.

When a decision counts: what sets a policy or a threshold does so at least a minute (of the machine's time) after it
was made, so that every service has read it by then; an act counts at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.currencies import is_currency
from schemas.errors import InvalidDecision
from schemas.events.base import Instant
from schemas.events.dunning_texts import EmailText, Tone, Variant
from schemas.events.mrr_policy import PolicyTerms, has_name_of_a_preset
from schemas.faults import faults_of

LEAD = timedelta(minutes=1)
"""How far ahead of its making (machine time) a policy or a threshold takes effect, at least."""

Text = Field(default=None, min_length=1, max_length=200)
_ADDRESS = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_LINK = r"https?://\S+"


class Detail(BaseModel):
    """How something was decided. Frozen; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def fault(self) -> str | None:
        """What a writer may not say though a reader takes it; None where there is nothing of that."""
        return None


class WorkspaceSettings(Detail):
    """How the company presents itself, and its time zone (a name of the time zone database)."""

    name: str | None = Text
    timezone: str | None = None
    locale: str | None = Field(default=None, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")
    color: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    logo_url: str | None = Field(default=None, pattern=r"^https://\S+$", max_length=2000)
    address: str | None = Field(default=None, min_length=1, max_length=500, description="Postal, for the foot of mail.")

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError(f"{value!r} is no time zone; one is Europe/Berlin")
        return value


class ConnectionMade(Detail):
    """A Stripe key was submitted."""

    livemode_claimed: bool | None = None
    key_kind: str | None = None


class ConnectionEnded(Detail):
    """A Stripe account was disconnected, or its key was refused, or never checked, and another took its place; with it
    ends every connection whose key was handed over to it."""

    reason: str = "disconnected"


class SignalThresholds(Detail):
    """When signals open."""

    history_days: int | None = Field(
        default=None, ge=0, le=3650, description="How long before a customer was first seen signals still open."
    )


class MrrPolicy(Detail):
    """What counts as MRR from the beginning of a day on (of the workspace's zone, as it is when this counts).

    The latest decision stands from its day on, whatever earlier ones said of later days.
    """

    policy: PolicyTerms
    counts_from: date = Field(ge=date(1970, 1, 1), lt=date(9000, 1, 1))

    def fault(self) -> str | None:
        if has_name_of_a_preset(self.policy):
            return f"{self.policy.name} is a preset, and this is another policy: give it a name of its own"
        return None


class DunningPolicy(Detail):
    """When dunning emails go."""

    days: tuple[int, ...] | None = Field(default=None, min_length=1, max_length=5)
    wait_minutes: int | None = Field(default=None, ge=0, le=7 * 24 * 60)
    first_hour: int | None = Field(default=None, ge=0, le=23)
    last_hour: int | None = Field(default=None, ge=1, le=24)
    gap_hours: int | None = Field(default=None, ge=0, le=24 * 30)
    recovery_days: int | None = Field(default=None, ge=0, le=365)
    stop_when_canceling: bool | None = None
    thresholds: dict[str, int] | None = Field(default=None, description="Minor units by currency.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.days is not None and (list(self.days) != sorted({*self.days}) or self.days[0] < 0):
            raise ValueError("days must be different and in rising order, from 0 on")
        first = 9 if self.first_hour is None else self.first_hour
        last = 17 if self.last_hour is None else self.last_hour
        if first >= last:
            raise ValueError(f"the first sending hour ({first}) must be before the last ({last})")
        for currency, amount in (self.thresholds or {}).items():
            if not is_currency(currency) or amount < 0:
                raise ValueError(
                    f"a threshold needs a currency like usd and an amount from 0 on, not {currency} {amount}"
                )
        return self


USUAL_DUNNING = DunningPolicy(
    days=(0, 3, 7),
    wait_minutes=60,
    first_hour=9,
    last_hour=17,
    gap_hours=24,
    recovery_days=30,
    stop_when_canceling=True,
    thresholds={},
)
"""What dunning goes by where nothing was decided."""


class DunningSender(Detail):
    """Who dunning emails are from. It counts once `passed`: a test email from it arrived, and a person said so."""

    address: str = Field(pattern=_ADDRESS, max_length=254)
    name: str = Field(default="", max_length=200)
    reply_to: str | None = Field(default=None, pattern=_ADDRESS, max_length=254)
    passed: bool = False


class DunningTestSend(Detail):
    """A test email from the sender that is set, to somebody of the company. It goes at most once per decision.

    With a `variant` and a `tone` it is that email, in the workspace's words, about a made-up customer.
    """

    to: str = Field(pattern=_ADDRESS, max_length=254)
    variant: Variant | None = None
    tone: Tone | None = None

    @model_validator(mode="after")
    def _names_an_email_or_none(self) -> Self:
        if (self.variant is None) is not (self.tone is None):
            raise ValueError("a variant and a tone go together")
        return self


class DunningText(Detail):
    """The words of one of dunning's emails from now on; without a `text` the usual ones again."""

    variant: Variant
    tone: Tone
    text: EmailText | None = None


class DunningSending(Detail):
    """Sending on, off, or everything but the sending itself (shadow)."""

    mode: Literal["on", "shadow", "off"]


class DunningAllowList(Detail):
    """Whom test mode may mail: whole addresses, and domains as `@demo.example`. Replaces the one before."""

    entries: tuple[str, ...]


class AboutSomebody(Detail):
    """A decision about one customer of a connection, or one user of the workspace."""

    customer_id: str | None = None
    user_id: str | None = None

    def names_somebody(self) -> bool:
        return bool(self.customer_id or self.user_id)


class MatchByHand(AboutSomebody):
    """A customer of a connection and a user of the workspace are one person, whatever the rules say; or, not `matched`,
    they are not."""

    customer_id: str = Field(min_length=1, max_length=320)
    user_id: str = Field(min_length=1, max_length=320)
    matched: bool = True


class DunningSuppress(AboutSomebody):
    """No more emails: to an address, or to one customer or user. `lifted` takes it back."""

    email: str | None = Field(default=None, pattern=_ADDRESS, max_length=254)
    reason: str = "unsubscribed"
    lifted: bool = False

    def names_somebody(self) -> bool:
        return bool(self.email) or super().names_somebody()


class DunningAct(AboutSomebody):
    """Hold, release, stop, start or skip what there is of a customer or user."""


class DunningStep(AboutSomebody):
    """Send an email of an episode once more, or leave one whose fate is unknown as it is."""

    episode_id: str
    step: int = Field(ge=1)


class DunningRecorded(AboutSomebody):
    """A failed payment of a user without Stripe, recorded by hand. `amount` in minor units.

    It is of live mode, unless the workspace has nothing but a test account: then nobody but the allow-list is mailed.
    """

    user_id: str
    amount: int = Field(gt=0, lt=2**63)
    currency: str
    email: str | None = None
    name: str | None = None
    failed_at: Instant | None = None
    pay_url: str | None = None
    reason: str | None = None
    number: str | None = None
    locale: str | None = None
    country: str | None = None
    livemode: bool = Field(default=True, description="Left out, the console fills it in.")

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, value: str) -> str:
        if not is_currency(value):
            raise ValueError(f"{value!r} is no currency; one is usd")
        return value

    def fault(self) -> str | None:
        if self.email is not None and re.fullmatch(_ADDRESS, self.email) is None:
            return f"email: {self.email!r} is no email address"
        if self.pay_url is not None and re.fullmatch(_LINK, self.pay_url, re.IGNORECASE) is None:
            return f"pay_url: {self.pay_url!r} is no address of a page; one begins with https://"
        return None


class DunningSettled(AboutSomebody):
    """What was recorded by hand is over. Without `failure_id` all of the user's."""

    user_id: str
    failure_id: str | None = None
    outcome: Literal["paid", "void"] = "paid"


@dataclass(frozen=True, slots=True)
class DecisionKind:
    """One kind. `ahead`: it counts from LEAD on, not at once. `by_its_act`: only the act itself makes it, as
    connecting an account does."""

    name: str
    label: str
    detail: type[Detail]
    ahead: bool = False
    by_its_act: bool = False


_KINDS = (
    DecisionKind("workspace.settings", "Workspace settings", WorkspaceSettings, ahead=True),
    DecisionKind("connection.made", "Stripe connected", ConnectionMade, by_its_act=True),
    DecisionKind("connection.ended", "Stripe disconnected", ConnectionEnded, by_its_act=True),
    DecisionKind("signals.thresholds", "Signal thresholds", SignalThresholds, ahead=True),
    DecisionKind("mrr.policy", "What counts as MRR", MrrPolicy, ahead=True),
    DecisionKind("identity.match", "Who is whom", MatchByHand),
    DecisionKind("dunning.policy", "When emails go", DunningPolicy, ahead=True),
    DecisionKind("dunning.sender", "Sender of emails", DunningSender),
    DecisionKind("dunning.test_send", "Test email", DunningTestSend),
    DecisionKind("dunning.text", "Words of an email", DunningText),
    DecisionKind("dunning.sending", "Sending", DunningSending),
    DecisionKind("dunning.allow_list", "Whom test mode may mail", DunningAllowList),
    DecisionKind("dunning.suppress", "No emails to somebody", DunningSuppress),
    DecisionKind("dunning.hold", "Emails held", DunningAct),
    DecisionKind("dunning.release", "Emails released", DunningAct),
    DecisionKind("dunning.stop", "Episode stopped", DunningAct),
    DecisionKind("dunning.start", "Episode started", DunningAct),
    DecisionKind("dunning.skip", "Proposal skipped", DunningAct),
    DecisionKind("dunning.resend", "Email sent again", DunningStep),
    DecisionKind("dunning.leave", "Email left as it is", DunningStep),
    DecisionKind("dunning.recorded", "Failure recorded by hand", DunningRecorded),
    DecisionKind("dunning.settled", "Recorded failure settled", DunningSettled),
)
KINDS: Mapping[str, DecisionKind] = {kind.name: kind for kind in _KINDS}
"""Every kind by its name."""


def kind_named(name: str) -> DecisionKind:
    """The kind of that name; raises InvalidDecision naming those there are."""
    try:
        return KINDS[name]
    except KeyError:
        raise InvalidDecision(f"there is no decision {name!r}; there are {', '.join(KINDS)}") from None


def read_detail(name: str, detail: Mapping[str, Any]) -> Detail:
    """A decision's detail as its kind's value; raises InvalidDecision saying what is wrong with it."""
    kind = kind_named(name)
    try:
        return kind.detail.model_validate(dict(detail))
    except ValidationError as error:
        raise InvalidDecision(f"the detail of {name} is wrong: {faults_of(error)}") from error


def check_decision(name: str, detail: Mapping[str, Any], *, connection_id: str | None) -> dict[str, Any]:
    """The detail as it is to be written: what was given, checked; a null is something left out. Raises
    InvalidDecision."""
    kind = kind_named(name)
    if unknown := sorted(set(detail) - set(kind.detail.model_fields)):
        fields = ", ".join(kind.detail.model_fields) or "no fields"
        raise InvalidDecision(f"{name} has no {', '.join(unknown)}; it has {fields}")
    read = read_detail(name, detail)
    if isinstance(read, AboutSomebody):
        if not read.names_somebody():
            raise InvalidDecision(f"{name} names nobody: it needs a customer_id with its connection, or a user_id")
        if read.customer_id and not connection_id:
            raise InvalidDecision(f"{name} names the customer {read.customer_id} without its connection")
    if (fault := read.fault()) is not None:
        raise InvalidDecision(f"the detail of {name} is wrong: {fault}")
    return read.model_dump(mode="json", exclude_unset=True, exclude_none=True)
