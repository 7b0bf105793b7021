"""How late a change is seen: every kind of change, the calls that find it, and the bound that follows for an account.

The one table behind `docs/polling.md`, `dropfix poller bounds`, and the test that lets a company live and checks that
each change is in the topics in time. Pure.

A bound counts from the change in Stripe to the poll that publishes it. It holds while nothing is left out for the read
budget (the card says when something is), Stripe answers, and no more objects a poll have to be read alone than
`plan.singles_of` gives; beside it stands Stripe's own delay: less than a minute for search.
"""

from dataclasses import dataclass
from typing import Literal

from services.poller.kinds import Kind
from services.poller.reading.queries import PAGE
from services.poller.steady.follow import ATTEMPT_TAKES, DISPUTE_EVERY, PENDING_CHARGE_EVERY
from services.poller.steady.plan import (
    POLL_SECONDS,
    SINGLES,
    SWEEPS,
    Sizes,
    Tier,
    extras_of,
    lent_to_customers,
    letters_of,
    pages_of,
    tier_of,
)

PERIOD = 144
"""Polls after which every tier's plan begins again."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Read alone when it is due: at an instant that is known beforehand, or again every so many seconds."""

    seconds: int
    because: str


Way = str | Timed
"""A call by its letter, or a timer."""

KNOWN = Timed(-POLL_SECONDS, "known beforehand: it takes no call")
AT_ITS_TIME = Timed(0, "read when it is due")
AFTER_ITS_ATTEMPT = Timed(ATTEMPT_TAKES, "read ten minutes after its attempt was due")
WHILE_PENDING = Timed(PENDING_CHARGE_EVERY, "read every 4 hours while it is pending")
WHILE_DISPUTED = Timed(DISPUTE_EVERY, "read once a day while it is open")

Name = Literal[
    "card_failure",
    "other_card_failure",
    "blocked",
    "chargeless_attempt",
    "chargeless_retry",
    "debit_begun",
    "debit_failure",
    "paid_by_card",
    "paid_by_card_of_an_older_invoice",
    "paid_out_of_band",
    "closed",
    "closed_older_invoice",
    "superseded",
    "one_of_a_burst",
    "draft",
    "period",
    "trial_ending",
    "invoiced_change",
    "change",
    "cancellation",
    "scheduled_cancellation",
    "kept",
    "scheduled_end",
    "unforeseen_end",
    "dunning_end",
    "delinquency",
    "trial_paused",
    "collection_paused",
    "customer_created",
    "customer_changed",
    "subscribed_customer_deleted",
    "customer_deleted",
    "dispute_opened",
    "dispute_decided",
]


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of change: what it is, which kinds of object show it, and every way in which it is found.

    The soonest of the ways is the bound. `needs_search` names the calls among them that work by search alone; where a
    server has none, they do not count.
    """

    name: Name
    change: str
    kinds: tuple[Kind, ...]
    ways: tuple[Way, ...]
    needs_search: str = ""


_INVOICE: tuple[Kind, ...] = ("charge", "invoice", "payment_intent")
_SUBSCRIPTION: tuple[Kind, ...] = ("subscription",)

ROWS: tuple[Row, ...] = (
    Row("card_failure", "An automatic card payment of a subscription's latest invoice fails", _INVOICE, ("A", "W")),
    Row(
        "other_card_failure",
        "A card payment of an older invoice fails, or one that the customer tried",
        _INVOICE,
        ("A",),
    ),
    Row("blocked", "Radar blocks a payment", _INVOICE, ("A", "W")),
    Row(
        "chargeless_attempt",
        "An attempt without a charge (no payment method, an action required)",
        _INVOICE,
        ("C", "W"),
    ),
    Row("chargeless_retry", "A scheduled retry that makes no charge", _INVOICE, ("C", "W", AFTER_ITS_ATTEMPT)),
    Row(
        "debit_begun",
        "A bank debit is begun for an invoice, which stays open",
        ("invoice", "payment_intent"),
        ("C", "W"),
    ),
    Row("debit_failure", "A bank debit fails, or succeeds, days later", _INVOICE, (WHILE_PENDING,)),
    Row("paid_by_card", "A subscription's latest invoice is paid by card", _INVOICE, ("A", "W")),
    Row("paid_by_card_of_an_older_invoice", "An older invoice is paid by card", _INVOICE, ("A",)),
    Row(
        "paid_out_of_band",
        "The latest invoice is paid out of band, by a credit note or a balance",
        _INVOICE,
        ("C", "W"),
    ),
    Row("closed", "The latest invoice is voided, or marked uncollectible", _INVOICE, ("C", "W")),
    Row(
        "closed_older_invoice",
        "An older invoice, or one of a canceled subscription, is paid out of band, voided, or given up",
        _INVOICE,
        ("C",),
    ),
    Row(
        "superseded",
        "An invoice is followed by a newer one before a poll has seen it",
        ("invoice", "payment_intent"),
        ("B",),
    ),
    Row(
        "one_of_a_burst",
        f"An invoice is paid, or fails, for the first time, behind more than {SINGLES} charges of the same poll",
        ("invoice", "payment_intent"),
        ("B", "W"),
    ),
    Row("draft", "A draft cannot be finalized, or is finalized without an attempt", ("invoice",), ("B", "W", "G")),
    Row(
        "period",
        "A subscription begins, renews, leaves its trial, or begins a new period",
        ("subscription", "invoice"),
        ("D", "W"),
    ),
    Row("trial_ending", "A trial is about to end, or a retry to come", _SUBSCRIPTION, (KNOWN,)),
    Row(
        "invoiced_change",
        "A plan or quantity changes and is invoiced at once",
        ("subscription", "invoice"),
        ("B", "W", "G"),
    ),
    Row("change", "A plan or quantity changes without an invoice", _SUBSCRIPTION, ("G", "W")),
    Row("cancellation", "A subscription is canceled", _SUBSCRIPTION, ("E", "W", "L", "G"), needs_search="E"),
    Row(
        "scheduled_cancellation",
        "A cancellation is scheduled for the end of the period or a date",
        _SUBSCRIPTION,
        ("E", "W", "G"),
        needs_search="E",
    ),
    Row("kept", "A scheduled cancellation is taken back", _SUBSCRIPTION, ("G", "W")),
    Row("scheduled_end", "A scheduled cancellation takes effect", _SUBSCRIPTION, ("W", AT_ITS_TIME)),
    Row(
        "unforeseen_end",
        "A scheduled cancellation takes effect before it was seen that it was scheduled",
        _SUBSCRIPTION,
        ("E", "W", "L", "G"),
        needs_search="E",
    ),
    Row(
        "dunning_end",
        "Dunning ends in a cancellation",
        _SUBSCRIPTION,
        ("E", "W", "L", "G"),
        needs_search="E",
    ),
    Row("delinquency", "A subscription becomes past due, unpaid, or active again", _SUBSCRIPTION, ("A", "C", "W", "G")),
    Row("trial_paused", "A trial ends without a payment method and pauses", _SUBSCRIPTION, ("W", AFTER_ITS_ATTEMPT)),
    Row("collection_paused", "Collection is paused, or goes on", _SUBSCRIPTION, ("G", "W")),
    Row("customer_created", "A customer is created", ("customer",), ("F",)),
    Row("customer_changed", "The e-mail address of a subscribed customer changes", ("customer",), ("G", "W", "S")),
    Row(
        "subscribed_customer_deleted",
        "A customer with a running subscription is deleted",
        ("customer", "subscription"),
        ("E", "W", "L", "G"),
        needs_search="E",
    ),
    Row("customer_deleted", "A customer without one is deleted or changes", ("customer",), ("S",)),
    Row("dispute_opened", "A dispute is opened", ("dispute", "charge"), ("I",)),
    Row("dispute_decided", "A dispute moves on, or is decided", ("dispute",), (WHILE_DISPUTED,)),
)
"""Every row of the polling strategy (`docs/polling.md` is made from it)."""

BY_NAME: dict[Name, Row] = {row.name: row for row in ROWS}


def bound_seconds(row: Row, sizes: Sizes, *, allowed: int, search: bool = True) -> int | None:
    """Seconds from a change to its record at the latest, for an account of these sizes (as they are when the lists'
    passes end) and this read budget of 30 days; None where no call of the account's tier looks for it.
    """
    found = [seconds for _, seconds in ways_of(row, sizes, allowed=allowed, search=search)]
    return min(found, default=None)


def ways_of(row: Row, sizes: Sizes, *, allowed: int, search: bool = True) -> list[tuple[Way, int]]:
    """Every way in which an account finds the change, each with its bound in seconds."""
    tier = tier_of(sizes, allowed=allowed)
    found: list[tuple[Way, int]] = []
    for way in row.ways:
        if isinstance(way, Timed):
            found.append((way, way.seconds + POLL_SECONDS))
        elif _is_asked(way, search=search, needs_search=row.needs_search):
            polls = polls_for(way, tier, turns=turns_of(way, sizes), lent=lent_to_customers(sizes))
            found += [(way, POLL_SECONDS * polls)] if polls else []
    return found


def _is_asked(letter: str, *, search: bool, needs_search: str) -> bool:
    return not search if letter == "L" else search or letter not in needs_search


def turns_of(letter: str, sizes: Sizes) -> int:
    """Turns of a call until every object of its list was read, wherever a pass stands: its pages, and where there are
    several one more, since what is added meanwhile moves an object to the next page."""
    if letter not in SWEEPS:
        return 1
    size = {
        "C": sizes.open_invoices,
        "G": sizes.subscriptions,
        "L": sizes.subscriptions - sizes.running,
        "S": sizes.customers,
    }[letter]
    pages = max(1, -(-size // (PAGE * (pages_of(letter, sizes) or 1))))
    return pages + (pages > 1)


def polls_for(letter: str, tier: Tier, *, turns: int, lent: int = 0) -> int:
    """The most polls in which a call has so many turns, wherever one begins to count; 0 where it never has one."""
    letter = "E" if letter == "L" else letter
    at = [tick for tick in range(PERIOD) if letter in letters_of(tier, tick, lent=lent) + extras_of(tier, tick)]
    if not at:
        return 0
    periods, rest = divmod(turns, len(at))
    twice = at + [tick + PERIOD for tick in at]
    return periods * PERIOD + max(twice[start + rest] - twice[start] for start in range(len(at)))


def in_words(seconds: int | None) -> str:
    """A bound in minutes or hours."""
    if seconds is None:
        return "with the next change that is seen"
    if seconds <= 0:
        return "known beforehand"
    return f"{seconds // 60} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h".replace(".0 h", " h")
