"""`docs/polling.md`: how late each change is seen, from the table in `bounds.py`.

python -m services.poller.steady.bounds_page            write it
python -m services.poller.steady.bounds_page --check    exit 1 where what is checked in differs from it
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.poller.budget import DROPPED_FIRST, FLOOR, FLOOR_FOCUSED_A_DAY, READS_PER_TRANSACTION, allowed_reads
from services.poller.reading.queries import PAGE
from services.poller.steady.bounds import ROWS, Row, Timed, bound_seconds, in_words
from services.poller.steady.plan import (
    EXTRAS,
    FINDS,
    FLOOR_CYCLE,
    LARGE,
    SINGLES,
    SLOT_CYCLE,
    SUBSCRIPTIONS_A_SINGLE,
    Sizes,
    Tier,
    letters_of,
    pages_of,
    tier_of,
)

PAGE_FILE = Path(__file__).parents[3] / "docs" / "polling.md"


@dataclass(frozen=True, slots=True)
class Example:
    """An account that a column of the table is about; `transactions` are succeeded charges in 30 days."""

    name: str
    sizes: Sizes
    transactions: int

    @property
    def allowed(self) -> int:
        return allowed_reads(self.transactions)

    @property
    def tier(self) -> Tier:
        return tier_of(self.sizes, allowed=self.allowed)


EXAMPLES: tuple[Example, ...] = (
    Example("100 subscriptions", Sizes(100, 90, 100, 5), 30),
    Example("100 running, 900 canceled", Sizes(1_000, 100, 1_000, 10), 30),
    Example("1,000, few payments", Sizes(1_000, 800, 1_000, 30), 30),
    Example("1,000", Sizes(1_000, 800, 1_000, 30), 900),
    Example("10,000", Sizes(10_000, 7_000, 10_000, 300), 7_000),
    Example("100,000", Sizes(100_000, 70_000, 100_000, 3_000), 70_000),
    Example("1,000,000", Sizes(1_000_000, 700_000, 1_000_000, 30_000), 700_000),
)
"""An account of every tier, and of every size that the documents speak of."""


def page() -> str:
    """The page, whole."""
    return "\n".join([*_opening(), *_calls(), *_bounds(), *_budget()]) + "\n"


def _opening() -> Iterator[str]:
    yield "# How late DropFix sees a change"
    yield ""
    yield "Made from `services/poller/steady/bounds.py` by `make docs`; not edited by hand."
    yield ""
    yield (
        "Stripe has no list of what changed, and a key with five reads has no events. So DropFix looks every five"
        " minutes, and each call finds some kinds of change. How often each call is made depends on the size of the"
        " account and on how much Stripe lets it read; what follows for every kind of change stands here."
        " `dropfix poller bounds --subscriptions N --transactions N` says it for your account."
    )
    yield ""


def _calls() -> Iterator[str]:
    yield "## The calls of a poll"
    yield ""
    yield "| | account | list calls a poll | which |"
    yield "|---|---|---:|---|"
    for example in EXAMPLES:
        letters = letters_of(example.tier, 0)
        count = sum(pages_of(letter, example.sizes) or 1 for letter in letters)
        yield f"| {example.tier} | {example.name} | {count} | {_plan_of(example.tier)} |"
    yield ""
    finds = "; ".join(f"{letter} {what}" for letter, what in FINDS.items() if letter not in "LW")
    yield f"By letter: W every running subscription in one page; {finds}."
    yield (
        "L stands in for E where the account has no search. A list that is hot (A, B, D, E, F, I) is read from its"
        " cursor, less an overlap, to its end: on a day on which many subscriptions renew that takes more pages."
        f" A list that is swept (C, G, L, S) is read {PAGE} objects at a time, round and round."
    )
    yield (
        f"One-call accounts read {', '.join(EXTRAS)} beside their call, a few times a day; these and all other reads of"
        " single things (timers, fresh reads before an e-mail, what follows a change) have a budget of their own."
    )
    yield f"Above {LARGE:,} subscriptions a poll takes `subscriptions / 28,800` pages more of the sweep."
    yield ""


def _plan_of(tier: Tier) -> str:
    match tier:
        case "tiny":
            return "W"
        case "small":
            return "W, without what was canceled"
        case "floor":
            return f"one in turn: {' '.join(FLOOR_CYCLE)}"
        case "normal":
            return f"A, D, E, and one in turn: {' '.join(SLOT_CYCLE)}"
        case "large":
            return f"A, D, E, pages of G, and one in turn: {' '.join(SLOT_CYCLE.replace('G', 'C'))}"


def _bounds() -> Iterator[str]:
    yield "## The bounds"
    yield ""
    yield (
        "From the change in Stripe to its record, at the latest. Where the account has no search and that makes a"
        " difference, the second figure holds. Beside them stands Stripe's own delay of search (less than a minute; in"
        f" an outage up to an hour). At most {SINGLES} objects a poll are read alone, or one for every"
        f" {SUBSCRIPTIONS_A_SINGLE:,} subscriptions where those are more; what is beyond waits for the next."
    )
    yield ""
    yield f"| change | found by | {' | '.join(example.name for example in EXAMPLES)} |"
    yield f"|---|---|{'---:|' * len(EXAMPLES)}"
    for row in ROWS:
        yield f"| {row.change} | {_ways(row)} | {' | '.join(_cell(row, example) for example in EXAMPLES)} |"
    yield ""
    yield (
        "What no call looks for is seen when the object is read for another reason: a refund, and without the"
        " permission for disputes that a charge is disputed."
    )
    yield ""


def _ways(row: Row) -> str:
    return ", ".join(way.because if isinstance(way, Timed) else way for way in row.ways)


def _cell(row: Row, example: Example) -> str:
    with_it, without = (
        in_words(bound_seconds(row, example.sizes, allowed=example.allowed, search=search)) for search in (True, False)
    )
    return with_it if with_it == without else f"{with_it}; {without}"


def _budget() -> Iterator[str]:
    yield "## The read budget"
    yield ""
    yield (
        "Stripe allows an account 500 reads per transaction over 30 days, and at least 10,000. DropFix keeps to"
        f" {READS_PER_TRANSACTION} per succeeded charge, since the company's own software reads too, and at least"
        f" {FLOOR:,}: one call a poll and {FLOOR_FOCUSED_A_DAY} other reads a day. One meter per account counts every"
        f" request. When it runs low, calls are left out in the order {', '.join(DROPPED_FIRST)}; A, or the one call,"
        " always stays. The card says what is looked at less often."
    )


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m services.poller.steady.bounds_page", description="Write docs/polling.md."
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        PAGE_FILE.write_text(page())
        return 0
    if not PAGE_FILE.exists() or PAGE_FILE.read_text() != page():
        sys.stderr.write("stale: docs/polling.md; run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
