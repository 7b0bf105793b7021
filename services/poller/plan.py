"""Which calls a poll makes: tiers by size and allowance, the rotating slot, cursors, and the bound of every change.

Stripe has no list of what changed, so each call finds some kinds of change (reference: the polling strategy of the
documents). By letter:

W  every subscription in one page, where there are at most a hundred    A  charges created since
B  young invoices                                                       C  open invoices, page by page
D  subscriptions whose period began since                               E  cancellations since, by search
F  customers created since                                              G  all subscriptions, page by page
S  all customers, page by page                                          I  disputes created since

Pure: a poll is a function of the account's sizes, the tick, the cursors and what is affordable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.poller.capabilities import Capabilities
from services.poller.kinds import Kind
from services.poller.queries import PAGE, Query

Tier = Literal["tiny", "small", "floor", "normal", "large"]
POLL_SECONDS = 300
POLLS_A_DAY = 288
OVERLAP = 900
SEARCH_OVERLAP = 3600
YOUNG_INVOICE = 3 * 3600
CANCELED_LOOKBACK = 86_400
LARGE = 12_000

HOT: tuple[str, ...] = ("A", "B", "D", "E", "F", "I")
"""Calls with a cursor that only moves forward."""
SWEEPS: tuple[str, ...] = ("C", "G", "S")
"""Calls that go through a whole list, some pages at a time, and begin again."""

SLOT_CYCLE = "CGCGBCGCGFCG"
FLOOR_CYCLE = "AGDGAGEGACGF"
SWEEPS_A_DAY = SLOT_CYCLE.count("G") * POLLS_A_DAY // len(SLOT_CYCLE)
"""Turns of the sweep of subscriptions in an ordinary account's day."""
MOST_LENT = 6
SHARED_TURN = "FSI"
"""Calls that take turns in the place of F in a cycle; disputes only where the key may read them."""
EXTRAS: Mapping[str, tuple[int, int]] = {"E": (48, 11), "C": (144, 37), "F": (144, 83), "S": (144, 120)}
"""What a tiny account reads beside its one call: every so many polls, at which of them. They are focused reads."""
SMALL_EXTRAS: Mapping[str, tuple[int, int]] = {**EXTRAS, "E": (12, 5)}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large an account is."""

    subscriptions: int = 0
    running: int = 0
    customers: int = 0
    open_invoices: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a call has got: `at` in Unix seconds of Stripe's clock, `after_id` within a pass of a sweep, which
    began at the version `pass_version`."""

    at: int | None = None
    after_id: str | None = None
    pass_version: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a poll, and how many pages of it at most (None: to the end)."""

    letter: str
    query: Query
    purpose: str
    pages: int | None


def tier_of(sizes: Sizes, *, allowed: int) -> Tier:
    """The tier of an account; `allowed` is its read budget of 30 days."""
    if sizes.subscriptions <= PAGE:
        return "tiny"
    if sizes.running <= PAGE:
        return "small"
    if allowed < 4 * POLLS_A_DAY * 30:
        return "floor"
    return "normal" if sizes.subscriptions <= LARGE else "large"


def lent_to_customers(sizes: Sizes) -> int:
    """How many of twelve turns the sweep of subscriptions lends to that of customers: what it does not need to go
    through its pages in a day, half at most."""
    needed = -(-sizes.subscriptions // PAGE)
    return max(0, min(MOST_LENT, 12 * (SWEEPS_A_DAY - needed) // SWEEPS_A_DAY))


def letters_of(tier: Tier, tick: int, *, disputes: bool = True, lent: int = 0) -> tuple[str, ...]:
    """The list calls of a poll, before the budget. `lent` as `lent_to_customers` gives it."""
    sharing = SHARED_TURN if disputes else SHARED_TURN.replace("I", "")
    match tier:
        case "tiny" | "small":
            return ("W",)
        case "floor":
            return (_turn(FLOOR_CYCLE, tick, sharing),)
        case "normal":
            return ("A", "D", "E", _lend(_turn(SLOT_CYCLE, tick, sharing), tick, lent))
        case "large":
            return ("A", "D", "E", _turn(SLOT_CYCLE.replace("G", "C"), tick, sharing), "G")


def extras_of(tier: Tier, tick: int) -> tuple[str, ...]:
    """What a one-call account reads beside its call at this tick."""
    table = {"tiny": EXTRAS, "small": SMALL_EXTRAS}.get(tier, {})
    return tuple(letter for letter, (every, at) in table.items() if tick % every == at)


def _turn(cycle: str, tick: int, sharing: str) -> str:
    letter = cycle[tick % len(cycle)]
    return sharing[tick // len(cycle) % len(sharing)] if letter == "F" else letter


def _lend(letter: str, tick: int, lent: int) -> str:
    """The same, or S where this turn of G is one of those that are lent, which are spread evenly."""
    if letter != "G":
        return letter
    cycles, at = divmod(tick, len(SLOT_CYCLE))
    number = cycles * SLOT_CYCLE.count("G") + SLOT_CYCLE[:at].count("G")
    return "S" if (number + 1) * lent // 12 > number * lent // 12 else "G"


def call_of(
    letter: str, cursor: Cursor, found: Capabilities, sizes: Sizes, *, tier: Tier, extra: bool = False
) -> Call | None:
    """The call behind a letter; None where the key may not read that kind."""
    query = _query_of(letter, cursor, found, tier)
    if not found.can_read(query.kind):
        return None
    if extra:
        purpose = "focused"
    else:
        purpose = {"A": "hot", "D": "hot", "E": "hot", "W": "whole", "G": "sweep", "S": "sweep"}.get(letter, "slot")
    return Call(letter, query, purpose, pages_of(letter, sizes))


def pages_of(letter: str, sizes: Sizes) -> int | None:
    """Pages of a call in one poll: hot calls go to the end, sweeps a few pages further."""
    if letter == "W":
        return 1
    if letter not in SWEEPS:
        return None
    if sizes.subscriptions <= LARGE:
        return 1
    size = {"C": sizes.open_invoices / 30, "G": sizes.subscriptions / POLLS_A_DAY, "S": sizes.customers / 96}[letter]
    return max(1, min(40, -(-int(size) // PAGE)))


ALL: Mapping[str, str] = {"status": "all"}


def _query_of(letter: str, cursor: Cursor, found: Capabilities, tier: Tier) -> Query:
    since = cursor.at or 0
    if letter in "ABFI":
        overlap = YOUNG_INVOICE if letter == "B" else OVERLAP
        return found.query(_CREATED[letter]).between(since - overlap, None)
    if letter == "C":
        return found.query("invoice", filters={"status": "open"})
    if letter == "S":
        return found.query("customer").between(None, _before(cursor))
    if letter == "G":
        return found.query("subscription", filters=ALL).between(None, _before(cursor))
    if letter == "W":
        return found.query("subscription", filters={} if tier == "small" else ALL)
    return _moved_subscriptions(letter, since, found)


_CREATED: Mapping[str, Kind] = {"A": "charge", "B": "invoice", "F": "customer", "I": "dispute"}


def _moved_subscriptions(letter: str, since: int, found: Capabilities) -> Query:
    if letter == "D":
        return found.query("subscription", filters={**ALL, "current_period_start[gte]": str(since - OVERLAP)})
    if found.can_search("subscription"):
        return found.query("subscription", search=f"canceled_at>{since - SEARCH_OVERLAP}")
    # Without search: what ended by the end of its period. A yearly plan that is cancelled months before that is
    # found by the sweep alone.
    ended = {"status": "canceled", "current_period_end[gte]": str(since - CANCELED_LOOKBACK)}
    return found.query("subscription", filters=ended)


def _before(cursor: Cursor) -> int | None:
    """Where a sweep goes on: what was created up to the last object seen, which `after_id` then leaves out."""
    return None if cursor.at is None else cursor.at + 1


FINDS: Mapping[str, str] = {
    "A": "charges",
    "B": "young invoices",
    "C": "open invoices",
    "D": "renewals",
    "E": "cancellations",
    "F": "new customers",
    "G": "changes of plans and e-mail addresses",
    "S": "deleted customers",
    "I": "disputes",
}


def slowed(left_out: tuple[str, ...]) -> str | None:
    """What the card says when calls were left out to stay within the read budget."""
    if not left_out:
        return None
    named = ", ".join(FINDS[letter] for letter in left_out)
    return f"To stay within Stripe's read allowance, these are looked at less often for now: {named}."


@dataclass(frozen=True, slots=True)
class Bound:
    """How a change is found: by the calls of these letters, or by reading the object alone when it is due."""

    change: str
    found_by: str
    alone: bool = False


BOUNDS: tuple[Bound, ...] = (
    Bound("A card payment fails, also one of an old invoice", "A"),
    Bound("A payment is blocked by Radar", "A"),
    Bound("An attempt without a charge (no payment method, a hard decline, an action required)", "C"),
    Bound("A bank debit fails days later", "C", alone=True),
    Bound("An invoice is paid by card", "A"),
    Bound("An invoice is paid out of band, by credit or balance", "C"),
    Bound("An invoice is voided or written off", "C"),
    Bound("A draft cannot be finalized", "B"),
    Bound("A subscription begins, renews, leaves its trial or changes its interval", "D"),
    Bound("A plan or quantity changes and is invoiced at once", "B"),
    Bound("A plan or quantity changes without an invoice", "G"),
    Bound("A subscription is canceled, or its cancellation scheduled", "E"),
    Bound("A scheduled cancellation is taken back", "G"),
    Bound("A scheduled cancellation takes effect", "E", alone=True),
    Bound("A subscription becomes past due or unpaid", "G", alone=True),
    Bound("A subscription or its collection is paused", "G"),
    Bound("A customer is created", "F"),
    Bound("The e-mail address of a subscribed customer changes", "G"),
    Bound("A customer is deleted, or one without a subscription changes", "S"),
    Bound("A dispute is opened", "I"),
    Bound("A dispute is decided", "I", alone=True),
)
"""Every kind of change and the call that finds it; the documents' table and the tests are made from it."""


def bound_seconds(bound: Bound, sizes: Sizes, *, allowed: int) -> int:
    """How long after it happened a change is in the topics at the latest, in seconds.

    Beside it stands Stripe's own delay: less than a minute for search. What is read alone is read at the first poll
    after it is due.
    """
    if bound.alone:
        return POLL_SECONDS
    tier = tier_of(sizes, allowed=allowed)
    turns, lent = turns_of(bound.found_by, sizes), lent_to_customers(sizes)
    return POLL_SECONDS * polls_for(bound.found_by, tier, turns=turns, lent=lent)


def turns_of(letter: str, sizes: Sizes) -> int:
    """Turns that a call takes to go through its whole list."""
    if letter not in SWEEPS:
        return 1
    size = {"C": sizes.open_invoices, "G": sizes.subscriptions, "S": sizes.customers}[letter]
    pages = pages_of(letter, sizes) or 1
    return max(1, -(-size // (PAGE * pages)))


IN_THE_ONE_CALL = frozenset("ADEGC")
"""What a page of every subscription with its latest invoice shows at every poll."""


PERIOD = 144
"""Polls after which every tier's plan begins again."""


def polls_for(letter: str, tier: Tier, *, turns: int, lent: int = 0) -> int:
    """The most polls in which a call has so many turns, wherever one begins to count; 0 where it never has one."""
    if tier in {"tiny", "small"} and letter in IN_THE_ONE_CALL:
        return turns
    at = [tick for tick in range(PERIOD) if letter in letters_of(tier, tick, lent=lent) + extras_of(tier, tick)]
    if not at:
        return 0
    periods, rest = divmod(turns, len(at))
    twice = at + [tick + PERIOD for tick in at]
    return periods * PERIOD + max(twice[start + rest] - twice[start] for start in range(len(at)))
