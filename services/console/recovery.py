"""Failed payments that are being won back, as the console shows them: values, and what is said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.events.dunning import HOLDS

GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "open": ("In progress", ("waiting", "due")),
    "held": ("Held", ("held",)),
    "proposed": ("Proposed", ("proposed",)),
    "recovered": ("Recovered", ("recovered",)),
    "exhausted": ("Exhausted", ("exhausted",)),
    "closed": ("Closed", ("closed",)),
}
"""Which episodes are listed together: by key the name, and the states."""

AT_STAKE_NOW = ("waiting", "due", "held")

REASONS: Mapping[str, str] = {
    **HOLDS,
    "held": "you put it on hold",
    "paid": "it was paid",
    "cleared": "it was credited, or paid outside Stripe",
    "void": "the invoice was voided",
    "uncollectible": "the invoice was written off",
    "canceled": "the subscription was canceled",
    "customer_deleted": "the customer was deleted",
    "disconnected": "the account was disconnected",
    "stopped": "you stopped it",
    "skipped": "you skipped it",
    "superseded": "later records made it part of another, or of none",
}
"""Why an episode is held, or how it ended, in words."""

EMAIL_STATES: Mapping[str, str] = {
    "due": "Due",
    "sent": "Sent",
    "captured": "Captured",
    "failed": "Refused",
    "unknown": "Unknown",
    "dropped": "Not needed any more",
}

ACTS: Mapping[str, tuple[str, ...]] = {
    "proposed": ("start", "skip"),
    "waiting": ("hold", "stop"),
    "due": ("hold", "stop"),
    "held": ("stop",),
}
"""What a person may decide of an episode, by its state: the decision is `dunning.` and the act."""

RELEASABLE = frozenset({"held", "needs_review", "refused"})
"""What a person's release lifts; the other reasons hold on until what they say has changed."""

GOES_ON: Mapping[str, str] = {
    "sending_off": "It goes on once sending is on and its sender has passed the test, under Settings → Recovery.",
    "disputed": "It goes on once the dispute is closed.",
    "no_address": "It goes on once the customer has an email address in Stripe.",
    "unsubscribed": "It goes on once the customer asks for emails again: dropfix dunning allow --episode.",
    "bounced": "It goes on with another address, or once this one works again: dropfix dunning allow --email.",
    "complained": "It goes on with another address, or once the customer agrees: dropfix dunning allow --email.",
    "suppressed": "It goes on once that is taken back: dropfix dunning allow.",
    "canceling": "It goes on once the cancellation is taken back, or under a policy that does not hold such customers.",
    "below_threshold": "It goes on once more is due.",
}
"""What lets an episode go on that no release does, by why it is held."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode of a customer (or of a user, recorded by hand). Amounts by currency, in minor units.

    `step` is the email that is next, or was last, of `steps`; `due_at` when that is; `mailed` the last that went.
    """

    episode_id: str
    connection_id: str | None
    customer_id: str | None
    user_id: str | None
    state: str
    reason: str | None
    opened_at: datetime
    ended_at: datetime | None
    step: int
    steps: int
    due_at: datetime | None
    mailed: int
    mailed_at: datetime | None
    decline_reason: str | None
    at_stake: Mapping[str, int]
    remaining: Mapping[str, int]
    recovered: Mapping[str, int]
    waits_for: str | None
    invoices: Sequence[Mapping[str, Any]] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)
    who: str = ""

    @property
    def acts(self) -> tuple[str, ...]:
        released = ("release",) if self.state == "held" and self.reason in RELEASABLE else ()
        return (*released, *ACTS.get(self.state, ()))

    @property
    def goes_on(self) -> str | None:
        """What has to change before a held episode goes on, where it is not a person's release."""
        return GOES_ON.get(self.reason or "") if self.state == "held" else None

    @property
    def won(self) -> Mapping[str, int]:
        """What came back; nothing of a currency of which none did."""
        return {currency: amount for currency, amount in self.recovered.items() if amount}

    @property
    def unpaid(self) -> Mapping[str, int]:
        """What is still due; nothing of a currency of which nothing is."""
        return {currency: amount for currency, amount in self.remaining.items() if amount}

    @property
    def why(self) -> str | None:
        """Why it is held, or how it ended."""
        return REASONS.get(self.reason, self.reason.replace("_", " ")) if self.reason else None

    @property
    def says(self) -> str:
        """Where it stands, in a sentence without a time."""
        if self.state == "proposed":
            return "Waits for you to start it"
        if self.state == "waiting":
            return f"Email {self.step} of {self.steps} is next"
        if self.state == "due":
            waits = f": {self.waits_for}" if self.waits_for else ""
            return f"Email {self.step} of {self.steps} is due{waits}"
        if self.state == "held":
            return f"Held: {self.why}" if self.why else "Held"
        if self.state == "exhausted":
            return f"All {self.steps} emails went, and it is still unpaid"
        return self._ending

    @property
    def _ending(self) -> str:
        if self.state == "closed":
            return f"Closed: {self.why}" if self.why else "Closed"
        if self.reason == "cleared":
            return "Credited, or paid outside Stripe"
        return f"Paid after email {self.mailed} of {self.steps}" if self.mailed else "Paid before any email"

    @property
    def next_why(self) -> str | None:
        """Why the next email goes when it does."""
        days = self.policy.get("days") or ()
        if self.state not in {"waiting", "due"} or not 1 <= self.step <= len(days):
            return None
        hours = f"{self.policy.get('first_hour', 9):02}:00 to {self.policy.get('last_hour', 17):02}:00"
        return f"Day {days[self.step - 1]} after the first failure, from {hours} where the customer is"


@dataclass(frozen=True, slots=True)
class Email:
    """One email of an episode. `detail` says why it was due: rule, due_at, first_failure, records, variant."""

    step: int
    attempt: str
    state: str
    at: datetime
    recipient: str | None
    subject_line: str | None
    reason: str | None
    detail: Mapping[str, Any]
    body_text: str | None

    @property
    def label(self) -> str:
        """The state in words."""
        return EMAIL_STATES.get(self.state, self.state.capitalize())

    @property
    def acts(self) -> tuple[str, ...]:
        """What a person may decide of it: one of unknown fate may have arrived."""
        return {"unknown": ("resend", "leave"), "failed": ("resend",)}.get(self.state, ())

    @property
    def records(self) -> Sequence[str]:
        """The records that led to it, as topic/partition/offset."""
        found: Sequence[str] = self.detail.get("records") or ()
        return found

    @property
    def due_at(self) -> datetime | None:
        """When it was due, by dunning (domain time)."""
        return _instant(self.detail.get("due_at"))

    @property
    def first_failure(self) -> datetime | None:
        """When the first payment failed that it asks for."""
        return _instant(self.detail.get("first_failure"))


@dataclass(frozen=True, slots=True)
class SenderTest:
    """A test email that somebody asked for. `sender` is None until it is tried; `changed_at` is machine time."""

    decision_id: str
    asked_at: datetime
    recipient: str
    sender: str | None
    state: str
    reply: str | None
    changed_at: datetime | None

    @property
    def under_way(self) -> bool:
        """Whether its outcome is still to come."""
        return self.state in {"waiting", "sending"}

    @property
    def says(self) -> str:
        """What became of it, in a sentence."""
        if self.state == "waiting":
            return f"A test email to {self.recipient} is on its way to the mail server."
        if self.state == "sending":
            return f"The mail server is being handed a test email to {self.recipient}."
        if self.state == "sent":
            return f"The mail server took the test email to {self.recipient}."
        if self.state == "unknown":
            return f"It is unknown whether the test email to {self.recipient} went. Send another."
        return f"The test email to {self.recipient} was not sent."


@dataclass(frozen=True, slots=True)
class AfterStep:
    """Of all episodes whose last email was `step` (0: none went), what of one currency was at stake and came back."""

    step: int
    currency: str
    episodes: int
    recovered_episodes: int
    at_stake: int
    recovered: int

    @property
    def percent(self) -> float:
        """Of what was at stake, how much came back, from 0 to 100."""
        return 100 * self.recovered / self.at_stake if self.at_stake else 0.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """The numbers of a scope. Recovered and sent within the last 30 days; at stake is what is unpaid and in progress
    or held now. Amounts by currency, in minor units; `currencies` says how many episodes there ever were in each."""

    states: Mapping[str, int]
    at_stake: Mapping[str, int]
    recovered: Mapping[str, int]
    recovered_episodes: int
    after_an_email: int
    emails: Mapping[str, int]
    currencies: Mapping[str, int] = field(default_factory=dict)

    def count(self, group: str) -> int:
        """Episodes of a group."""
        return sum(self.states.get(state, 0) for state in GROUPS[group][1])

    @property
    def in_hand(self) -> int:
        """Episodes whose money is at stake now."""
        return sum(self.states.get(state, 0) for state in AT_STAKE_NOW)

    @property
    def begun(self) -> bool:
        """Whether there ever was an episode."""
        return bool(self.states)


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
