"""A policy: what counts as MRR, as a versioned value that never changes.

Every tool that shows MRR hides choices; here each choice is a field.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from pydantic import ValidationError

from schemas.events.mrr_policy import PRESETS as PRESET_TERMS
from schemas.events.mrr_policy import PolicyTerms
from services.mrr.errors import UnknownPolicy
from services.mrr.rounding import Exact

Duration = Literal["forever", "repeating", "once"]
Interval = Literal["day", "week", "month", "year"]

INTERVALS: frozenset[str] = frozenset({"day", "week", "month", "year"})
_DAY = {"365/12": Fraction(365, 12), "30": Fraction(30)}
_WEEK = {"52/12": Fraction(52, 12), "4.33": Fraction(433, 100)}


class Policy(PolicyTerms):
    """What counts as MRR, and what follows for prices. Frozen: another choice is another version."""

    def month_factor(self, interval: str, count: int) -> Exact:
        """How many of a price's billing periods there are in a month: 1/12 of a year's, 52/24 of two weeks'."""
        return _month_factor(interval, count, self.day_factor, self.week_factor)


@lru_cache(maxsize=1024)
def _month_factor(interval: str, count: int, day: str, week: str) -> Exact:
    per_month = {"year": Fraction(1, 12), "month": Fraction(1), "week": _WEEK[week], "day": _DAY[day]}
    factor = per_month[interval] / count
    return factor.numerator if factor.denominator == 1 else factor


STRIPE, PROFITWELL, BAREMETRICS, CHARTMOGUL = (Policy.model_validate(terms.model_dump()) for terms in PRESET_TERMS)

PRESETS: dict[str, Policy] = {policy.name: policy for policy in (STRIPE, PROFITWELL, BAREMETRICS, CHARTMOGUL)}
"""The newest version of each preset by its name."""

DEFAULT = STRIPE


def preset(name: str) -> Policy:
    """The preset of that name, or of that name and number; raises UnknownPolicy."""
    for policy in PRESETS.values():
        if name in {policy.name, policy.version}:
            return policy
    raise UnknownPolicy(f"there is no policy {name!r}; the presets are {', '.join(sorted(PRESETS))}")


def own_policy(values: Mapping[str, object]) -> Policy:
    """A policy out of values from a file; raises UnknownPolicy saying what is wrong, field by field.

    A preset's version is that preset's for ever: a policy of one's own has a name of its own.
    """
    try:
        policy = Policy.model_validate(values)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        raise UnknownPolicy(f"it is no policy: {'; '.join(faults)}") from None
    known = PRESETS.get(policy.name)
    if known is not None and known != policy:
        raise UnknownPolicy(f"{policy.name} is a preset, and this is another policy: give it a name of its own")
    return policy
