"""Which calls a poll makes: tiers by size and allowance, the rotating slot, and cursors. `bounds.py` says what follows
of it for how late a change is seen.

Stripe has no list of what changed, so each call finds some kinds of change (reference: the polling strategy of the
documents). By letter:

W  every subscription in one page, where there are at most a hundred    A  charges created since
B  young invoices                                                       C  open invoices, page by page
D  subscriptions whose period began since                               E  cancellations since, by search
F  customers created since                                              G  all subscriptions, page by page
S  all customers, page by page                                          I  disputes created since
L  in the place of E where there is no search: canceled subscriptions whose period has not ended, page by page

Pure: a poll is a function of the account's sizes, the tick, the cursors and what is affordable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.poller.budget import Spent
from services.poller.kinds import Kind
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.queries import PAGE, Query

Tier = Literal["tiny", "small", "floor", "normal", "large"]
ONE_CALL: frozenset[Tier] = frozenset({"tiny", "small"})
"""Tiers whose one call shows every subscription that runs."""
POLL_SECONDS = 300
POLLS_A_DAY = 288
OVERLAP = 900
SETTLED = 1800
"""Seconds beyond the overlap after which nothing is expected any more beside an object that was the newest."""
SEARCH_OVERLAP = 3600
YOUNG_INVOICE = 3 * 3600
CANCELED_LOOKBACK = 86_400
LARGE = 12_000
SINGLES = 20
SUBSCRIPTIONS_A_SINGLE = 2_500
"""Where the account has more of them than twenty times this, a poll reads more than `SINGLES` objects alone."""

HOT: Mapping[str, Kind] = {
    "A": "charge",
    "B": "invoice",
    "D": "subscription",
    "E": "subscription",
    "F": "customer",
    "I": "dispute",
}
"""Calls with a cursor that only moves forward, and what they list."""
SWEEPS: tuple[str, ...] = ("C", "G", "L", "S")
"""Calls that go through a whole list, some pages at a time, and begin again."""

SLOT_CYCLE = "CGCGBCGCGFCG"
FLOOR_CYCLE = "AGDGAGEGACGF"
SWEEPS_A_DAY = SLOT_CYCLE.count("G") * POLLS_A_DAY // len(SLOT_CYCLE)
"""Turns of the sweep of subscriptions in an ordinary account's day."""
MOST_LENT = 6
SHARED_TURN = "FSI"
"""Calls that take turns in the place of F in a cycle; disputes only where the key may read them."""
FLOOR_SHARED_TURN = "FBSI"
EXTRAS: Mapping[str, tuple[int, int]] = {
    "A": (48, 11),
    "B": (144, 101),
    "C": (144, 37),
    "I": (144, 61),
    "F": (144, 83),
    "S": (144, 120),
}
"""What an account with one call reads beside it: every so many polls, at which of them. They are focused reads, 16 a
day. Cancellations need none: its one page shows them, or no longer shows the subscription."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large an account is. `running` are the subscriptions that a list without a status shows: all that are not
    canceled, so also those whose first payment never came (incomplete_expired), of which there may be many."""

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


def singles_of(sizes: Sizes) -> int:
    """Objects that a poll reads alone at most, as far as the budget goes: a large account has as many at every poll
    (each renewal's invoice is read once its charge is there)."""
    return max(SINGLES, sizes.subscriptions // SUBSCRIPTIONS_A_SINGLE)


def lent_to_customers(sizes: Sizes) -> int:
    """How many of twelve turns the sweep of subscriptions lends to that of customers: what it does not need to go
    through its pages in a day, half at most."""
    needed = -(-sizes.subscriptions // PAGE) + 1
    return max(0, min(MOST_LENT, 12 * (SWEEPS_A_DAY - needed) // SWEEPS_A_DAY))


def letters_of(tier: Tier, tick: int, *, disputes: bool = True, lent: int = 0) -> tuple[str, ...]:
    """The list calls of a poll, before the budget. `lent` as `lent_to_customers` gives it."""
    sharing = FLOOR_SHARED_TURN if tier == "floor" else SHARED_TURN
    if not disputes:
        sharing = sharing.replace("I", "")
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
    if tier not in ONE_CALL:
        return ()
    return tuple(letter for letter, (every, at) in EXTRAS.items() if tick % every == at)


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


def letter_for(letter: str, found: Capabilities) -> str:
    """The call that takes a letter's place on this server, which may lack search."""
    return "L" if letter == "E" and not found.can_search("subscription") else letter


def call_of(
    letter: str, cursor: Cursor, found: Capabilities, sizes: Sizes, *, tier: Tier, now: int, extra: bool = False
) -> Call | None:
    """The call behind a letter; None where the key may not read that kind. `now` is Stripe's, in Unix seconds."""
    query = _query_of(letter, cursor, found, tier, now)
    if not found.can_read(query.kind):
        return None
    purpose = "focused" if extra else PURPOSES.get(letter, "slot")
    return Call(letter, query, purpose, pages_of(letter, sizes))


def pages_of(letter: str, sizes: Sizes) -> int | None:
    """Pages of a call in one poll: hot calls go to the end, sweeps a few pages further."""
    if letter == "W":
        return 1
    if letter not in SWEEPS:
        return None
    if sizes.subscriptions <= LARGE or letter == "L":
        return 1
    size = {"C": sizes.open_invoices / 30, "G": sizes.subscriptions / POLLS_A_DAY, "S": sizes.customers / 96}[letter]
    return max(1, min(40, -(-int(size) // PAGE)))


OVERLAPS: Mapping[str, int] = {
    "A": OVERLAP,
    "B": YOUNG_INVOICE,
    "D": OVERLAP,
    "E": SEARCH_OVERLAP,
    "F": OVERLAP,
    "I": OVERLAP,
}
"""How far before its cursor each hot call begins to read."""


def advanced(letter: str, at: int | None, newest: int | None, *, began: int) -> int | None:
    """Where a hot cursor is after a whole pass that began at `began` and showed objects up to `newest` (None: it showed
    none); `at` is where it was. All in Unix seconds of Stripe's clock.

    It stays at the newest object, from which the overlap is read again. What came all at once, as renewals of the 1st
    do, would so be read again at every poll until something newer comes. But where nothing newer had come since the
    pass before, and that was long ago, the next pass begins behind it. The objects say how late it is there, not our
    clock: a server may live in a time of its own.
    """
    if newest is None:
        return at
    overlap = OVERLAPS[letter]
    if at is not None and newest <= at and began - newest > overlap + SETTLED:
        return max(at, newest + overlap + 1)
    return max(at or 0, newest)


ALL: Mapping[str, str] = {"status": "all"}
PURPOSES: Mapping[str, str] = {"A": "hot", "D": "hot", "E": "hot", "L": "hot", "W": "whole", "G": "sweep", "S": "sweep"}


def _query_of(letter: str, cursor: Cursor, found: Capabilities, tier: Tier, now: int) -> Query:
    since = cursor.at or 0
    match letter:
        case "W":
            return found.query("subscription", filters={} if tier == "small" else ALL)
        case "D":
            return found.query(
                "subscription", filters={**ALL, "current_period_start[gte]": str(since - OVERLAPS[letter])}
            )
        case "E":
            return found.query("subscription", search=f"canceled_at>{since - OVERLAPS[letter]}")
        case "C" | "G" | "L" | "S":
            return _swept(letter, found, now).between(None, _before(cursor))
        case _:
            return found.query(_CREATED[letter]).between(since - OVERLAPS[letter], None)


def _swept(letter: str, found: Capabilities, now: int) -> Query:
    """A list that is gone through page by page."""
    match letter:
        case "C":
            return found.query("invoice", filters={"status": "open"})
        case "S":
            return found.query("customer")
        case "L":
            # What was canceled before the end of its period; a cancellation that was scheduled has a timer.
            ended = {"status": "canceled", "current_period_end[gte]": str(now - CANCELED_LOOKBACK)}
            return found.query("subscription", filters=ended)
        case _:
            return found.query("subscription", filters=ALL)


_CREATED: Mapping[str, Kind] = {"A": "charge", "B": "invoice", "F": "customer", "I": "dispute"}


def _before(cursor: Cursor) -> int | None:
    """Where a sweep goes on: what was created up to the last object seen, which `after_id` then leaves out."""
    return None if cursor.at is None else cursor.at + 1


FINDS: Mapping[str, str] = {
    "W": "subscriptions",
    "A": "charges",
    "B": "young invoices",
    "C": "open invoices",
    "D": "renewals",
    "E": "cancellations",
    "L": "cancellations",
    "F": "new customers",
    "G": "changes of plans and e-mail addresses",
    "S": "deleted customers",
    "I": "disputes",
}


def slowed(left_out: tuple[str, ...], *, singles_spent: Spent | None = None) -> str | None:
    """What the card says when the read budget slows the poller: calls that were left out, and until when reads of
    single things are used up."""
    said: list[str] = []
    if left_out:
        named = ", ".join(FINDS[letter] for letter in left_out)
        said.append(f"To stay within Stripe's read allowance, these are looked at less often for now: {named}.")
    if singles_spent:
        until = f"The reads of single things of 30 days are used up until {singles_spent.until:%-d %B}"
        which = until if singles_spent.of_window else "Today's reads of single things are used up"
        said.append(
            f"{which}, to stay within"
            " Stripe's read allowance: what needs one (the invoice of a charge, the subscription of an invoice) is seen"
            " later than usual, when its list comes by."
        )
    return " ".join(said) or None
