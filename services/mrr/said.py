"""A user's MRR as the product says it: what identify() passed, over time.

Many products pass it with every page. Of a day (UTC) and a number only the first and the last message are kept, so
that a user's state stays small; whichever order they arrive in. Instants are Unix microseconds.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from schemas.catalogue import PRODUCT_IDENTIFY
from services.mrr.in_force import Cause
from services.mrr.terms import Number, Said, fraction
from services.mrr.timeline import Facts, Merged
from services.mrr.valuation import ItemValue, Valuation

DAY = 86_400_000_000
NOTHING_SAID = Valuation((), 0, "identify")


def with_said(facts: Facts, said: Said) -> Merged:
    """The facts with one more message. Commutative and idempotent."""
    group = _group(said)
    among = [one for one in facts.said if _group(one) == group]
    kept = _first_and_last([*among, said])
    if kept == among:
        return Merged(facts, bears=False)
    told = tuple(sorted([*(one for one in facts.said if _group(one) != group), *kept]))
    return Merged(msgspec.structs.replace(facts, said=told), bears=True)


def _group(said: Said) -> tuple[int, Number, str]:
    return said.at // DAY, said.mrr, said.currency


def _first_and_last(among: list[Said]) -> list[Said]:
    """Of repeats of one message the one that was taken in first; of the others the first and the last."""
    ordered: dict[tuple[int, str], Said] = {}
    for one in sorted(among):
        ordered.setdefault((one.at, one.id), one)
    kept = list(ordered.values())
    return kept if len(kept) <= 2 else [kept[0], kept[-1]]


@dataclass(frozen=True, slots=True)
class SaidTrack:
    """What a user's MRR was said to be, over time. Of two messages of one instant that with the greater id counts."""

    said: tuple[Said, ...]
    id: str = ""

    def points(self) -> Mapping[int, Cause]:
        """The instants at which it may change, each with the message that says so."""
        return {one.at: self._cause(one) for one in self.said}

    def currency_at(self, instant: int) -> str:
        """The currency it was last said in; before it was said at all, the first one."""
        return (self._last(instant) or self.said[0]).currency

    def at(self, instant: int) -> Valuation:
        """What was last said."""
        last = self._last(instant)
        if last is None:
            return NOTHING_SAID
        exact = fraction(last.mrr)
        item = ItemValue("identify", "", 1, exact, "identify", [partial(_told, last)])
        return Valuation((item,), exact, "identify")

    def behind(self, instant: int, item: str) -> tuple[Cause, ...]:
        """The message behind what stands at an instant."""
        last = self._last(instant)
        return () if last is None else (self._cause(last),)

    def _last(self, instant: int) -> Said | None:
        place = bisect_right(self.said, instant, key=lambda one: one.at)
        return self.said[place - 1] if place else None

    @staticmethod
    def _cause(said: Said) -> Cause:
        return Cause(said.observed, PRODUCT_IDENTIFY.name, 0, said.offset, said.id)


def _told(said: Said) -> str:
    return f"identify() said {said.mrr} minor units a month (message {said.id})"
