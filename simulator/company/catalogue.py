"""What the company sells: the same families in every currency, and the coupons it hands out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from simulator.company.model import Coupon, Duration, Plan, Tier
from simulator.company.periods import Interval

CURRENCIES = ("usd", "eur", "gbp", "cad", "jpy", "kwd")

_MINOR_UNITS = {"jpy": 1, "kwd": 1000}
_RATE = {
    "usd": Fraction(1),
    "eur": Fraction(92, 100),
    "gbp": Fraction(8, 10),
    "cad": Fraction(136, 100),
    "jpy": Fraction(150),
    "kwd": Fraction(31, 100),
}


def local(currency: str, dollars: Fraction | int) -> int:
    """A price of so many dollars in another currency's minor units, rounded as a price list would be.

    Three-decimal amounts end in 0, as Stripe asks for cards.
    """
    step = 10
    minor = dollars * _RATE[currency] * _MINOR_UNITS.get(currency, 100)
    return max(step, round(minor / step) * step)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Plans by (family, currency, cadence such as `month` or `3 month`), and coupons by name."""

    plans: dict[tuple[str, str, str], Plan]
    coupons: dict[str, Coupon]

    def plan(self, family: str, currency: str, cadence: str) -> Plan:
        return self.plans[family, currency, cadence]

    def find(self, family: str, currency: str, cadence: str) -> Plan | None:
        return self.plans.get((family, currency, cadence))


@dataclass(frozen=True, slots=True)
class _Family:
    """A row of the price list: monthly dollars, and how it is charged."""

    key: str
    name: str
    dollars: Fraction
    cadences: tuple[tuple[Interval, int], ...] = (("month", 1), ("year", 1))
    nickname: bool = True
    per_seat: bool = False
    metered: bool = False
    exact: bool = False
    divide_by: int | None = None
    round_up: bool = True
    tiers: tuple[tuple[int | None, int, int], ...] = ()
    mode: str | None = None


_FLAT: tuple[tuple[Interval, int], ...] = (("month", 1), ("year", 1), ("month", 3), ("week", 1), ("week", 2))
_FAMILIES = (
    _Family("free", "Free", Fraction(0), (("month", 1),)),
    _Family("starter", "Starter", Fraction(19), _FLAT),
    _Family("pro", "Pro", Fraction(49), _FLAT),
    _Family("business", "Business", Fraction(149), (*_FLAT, ("day", 10), ("year", 2)), nickname=False),
    _Family("team", "Team", Fraction(12), per_seat=True),
    _Family("storage", "Storage", Fraction(1, 8), per_seat=True, exact=True, nickname=False),
    _Family("pack", "Seat pack", Fraction(25), per_seat=True, divide_by=10),
    _Family("addon", "Priority support", Fraction(9)),
    _Family("usage", "API calls", Fraction(1, 500), (("month", 1),), metered=True, exact=True, nickname=False),
    _Family(
        "scale",
        "Scale",
        Fraction(0),
        (("month", 1),),
        per_seat=True,
        mode="graduated",
        tiers=((5, 10, 0), (20, 8, 5), (None, 6, 0)),
    ),
    _Family(
        "volume",
        "Volume",
        Fraction(0),
        (("month", 1),),
        per_seat=True,
        mode="volume",
        tiers=((10, 9, 0), (50, 7, 0), (None, 5, 20)),
    ),
)

_RARE_FAMILIES = (
    _Family("suite", "Pro (new)", Fraction(49)),
    _Family("crew", "Crew", Fraction(100, 7), (("month", 6), ("week", 4), ("day", 1)), per_seat=True, exact=True),
    _Family("bundle", "Bundle", Fraction(40), (("month", 1), ("year", 1)), per_seat=True, divide_by=7, round_up=False),
    _Family("decade", "Commitment", Fraction(99), (("year", 3),), nickname=False),
    _Family(
        "metro",
        "Metro",
        Fraction(0),
        (("year", 1), ("month", 3)),
        per_seat=True,
        mode="graduated",
        tiers=((1, 0, 100), (100, 12, 0), (None, 9, 250)),
    ),
    _Family(
        "bulk",
        "Bulk",
        Fraction(0),
        (("month", 1), ("week", 1)),
        per_seat=True,
        mode="volume",
        tiers=((20, 0, 75), (None, 3, 0)),
    ),
)
"""What only a company of full variety sells: prices that equal another's, odd intervals, rounding down, flat tiers."""

RARE = frozenset(family.key for family in _RARE_FAMILIES)

_DECIMALS = 8
"""Of a minor unit in an exact price; Stripe has up to twelve."""

_MONTHS = {"day": Fraction(12, 365), "week": Fraction(12, 52), "month": Fraction(1), "year": Fraction(10)}


def catalogue(opened_at: int) -> Catalogue:
    """The company's price list, dated a day before it opened."""
    created = opened_at - 86_400
    plans: dict[tuple[str, str, str], Plan] = {}
    for families in (_FAMILIES, _RARE_FAMILIES):
        for currency in CURRENCIES:
            for family in families:
                for interval, count in family.cadences:
                    plan = _plan(family, currency, (interval, count), number=len(plans), created=created)
                    plans[family.key, currency, plan.cadence] = plan
    return Catalogue(plans, {coupon.name: coupon for coupon in _coupons(created)})


def _plan(family: _Family, currency: str, cadence: tuple[Interval, int], *, number: int, created: int) -> Plan:
    interval, count = cadence
    dollars = family.dollars * _MONTHS[interval] * count
    unit_amount: Fraction | None = Fraction(local(currency, dollars)) if dollars else Fraction(0)
    if family.exact:
        unit_amount = round(dollars * _RATE[currency] * _MINOR_UNITS.get(currency, 100), _DECIMALS)
    mode = family.mode
    return Plan(
        number=number,
        product=(*_FAMILIES, *_RARE_FAMILIES).index(family),
        family=family.key,
        name=family.name,
        nickname=f"{family.name} ({cadence[1]} {interval})" if family.nickname else None,
        currency=currency,
        interval=interval,
        interval_count=count,
        unit_amount=None if mode else unit_amount,
        per_seat=family.per_seat,
        metered=family.metered,
        tiers=tuple(_tiers(family.tiers, currency)),
        tiers_mode="graduated" if mode == "graduated" else "volume" if mode == "volume" else None,
        divide_by=family.divide_by,
        round_up=family.round_up,
        created=created,
    )


def _tiers(bands: Iterable[tuple[int | None, int, int]], currency: str) -> Iterator[Tier]:
    for up_to, unit, flat in bands:
        yield Tier(up_to, local(currency, unit), local(currency, flat) if flat else 0)


def _coupons(created: int) -> Iterator[Coupon]:
    number = 0
    percents: tuple[tuple[str, int, Duration, int | None], ...] = (
        ("FRIENDS20", 20, "forever", None),
        ("NONPROFIT50", 50, "forever", None),
        ("PARTNER100", 100, "forever", None),
        ("SPRING25", 25, "repeating", 3),
        ("WELCOME30", 30, "once", None),
    )
    for name, percent, duration, months in percents:
        number += 1
        yield Coupon(number, name, duration, months, Fraction(percent), created=created)
    amounts: tuple[tuple[str, int, Duration, int | None], ...] = (
        ("LOYAL5", 5, "forever", None),
        ("LAUNCH10", 10, "repeating", 2),
        ("SORRY15", 15, "once", None),
    )
    for name, dollars, duration, months in amounts:
        for currency in CURRENCIES:
            number += 1
            label = f"{name}-{currency.upper()}"
            off = local(currency, dollars)
            yield Coupon(number, label, duration, months, amount_off=off, currency=currency, created=created)
    yield from _rare_coupons(number, created)


def _rare_coupons(number: int, created: int) -> Iterator[Coupon]:
    """Percents with a fraction, and amounts that may exceed what they come off."""
    for name, percent in (("THIRD", Fraction(3333, 100)), ("EIGHTH", Fraction(25, 2))):
        number += 1
        yield Coupon(number, name, "forever", percent_off=percent, created=created)
    for currency in CURRENCIES:
        number += 1
        off = local(currency, 60)
        yield Coupon(number, f"SIXTY-{currency.upper()}", "forever", amount_off=off, currency=currency, created=created)
