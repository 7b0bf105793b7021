"""What happens to whom in a vast account: a table of a thousand fates, dealt again and again.

Nobody's fate depends on another's, and what depends on a period is reckoned from it, so nothing is remembered.
"""

from dataclasses import dataclass
from typing import Literal

from simulator.company.chance import Chance
from simulator.company.periods import DAY, HOUR

TABLE = 1000
DRAFT = HOUR
DELAYS = (0, 3 * DAY, 8 * DAY, 15 * DAY)
"""From the first attempt on an invoice to each: the last of them is given up."""
REQUEST = 10 * DAY
"""So long before a period's end is its cancellation asked for."""
SUDDEN = 9 * DAY
"""So long after a renewal does a customer cancel at once."""

ENDINGS = (-REQUEST, SUDDEN, DRAFT + DELAYS[-1])
"""From the renewal that an end goes by to the instant at which it is asked for, for each kind of end."""

End = Literal["never", "period_end", "now", "dunning"]

_ENDS: tuple[tuple[End, int], ...] = (("period_end", 170), ("now", 90), ("dunning", 60))
_PLANS = (("starter", 40), ("pro", 30), ("business", 12), ("team", 12), ("pack", 4), ("storage", 2))
_CURRENCIES = (("usd", 60), ("eur", 20), ("gbp", 12), ("jpy", 5), ("kwd", 3))
_LONGEST = 14


@dataclass(frozen=True, slots=True)
class Fate:
    """One of the thousand: what is bought and how it ends, in period `last` (`k` of the renewal that it goes by)."""

    family: str
    currency: str
    quantity: int
    discounted: bool
    end: End
    last: int

    def billed(self, k: int) -> bool:
        """Whether there is an invoice of period `k`."""
        return self.end == "never" or k < self.last or (k == self.last and self.end != "period_end")


def deal(seed: int) -> list[Fate]:
    """The table of a seed."""
    chance = Chance(seed, 0xFA7E)
    ends: list[tuple[End, int]] = [(end, 1 + place % _LONGEST) for end, count in _ENDS for place in range(count)]
    ends += [("never", 0)] * (TABLE - len(ends))
    for place in range(TABLE - 1, 0, -1):
        other = chance.between(0, place)
        ends[place], ends[other] = ends[other], ends[place]
    return [_fate(chance, end, last) for end, last in ends]


def _fate(chance: Chance, end: End, last: int) -> Fate:
    family = chance.weighted([(weight, name) for name, weight in _PLANS])
    currency = chance.weighted([(weight, name) for name, weight in _CURRENCIES])
    quantity = chance.between(1, 40) if family in {"team", "pack", "storage"} else 1
    return Fate(family, currency, quantity, chance.happens(0.08), end, last)


def attempts(place: int, fate: Fate, k: int) -> int:
    """How many attempts the invoice of period `k` takes; the last one succeeds, unless dunning ends it."""
    if k == 0:
        return 1
    if fate.end == "dunning" and k == fate.last:
        return len(DELAYS)
    luck = (place * 7 + k * 37) % TABLE
    return 2 if luck < 30 else 3 if luck < 45 else 1


def succeeds(fate: Fate, k: int) -> bool:
    """Whether the invoice of period `k` is paid in the end."""
    return not (fate.end == "dunning" and k == fate.last)
