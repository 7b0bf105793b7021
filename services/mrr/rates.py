"""Rates of exchange from a CSV file: read, checked line by line, and put in the place of those there were.

    currency,reporting,rate,valid_from
    eur,usd,1.0842,2026-01-01

One unit of `currency` (a euro, not a cent) is worth `rate` units of `reporting`, from the day `valid_from` on until the
next one; the latest holds from then on.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from runtime.database import Connection
from schemas.currencies import is_currency
from schemas.money import exponent
from services.mrr.errors import InvalidRates

COLUMNS = ("currency", "reporting", "rate", "valid_from")
SHOWN = 20
"""How many faults are told at once."""
LARGEST, MOST_DIGITS = Decimal(10) ** 12, 20

_SAVE = (
    "INSERT INTO mrr_io.rates (workspace_id, reporting, currency, valid_from, rate, factor, loaded_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of `currency` is worth in units of `reporting`, from a day on."""

    currency: str
    reporting: str
    rate: Decimal
    valid_from: date

    @property
    def factor(self) -> Decimal:
        """The same between minor units, exactly: of yen to dollars a hundred times the rate."""
        return self.rate.scaleb(exponent(self.reporting) - exponent(self.currency))


def read_rates(lines: Iterable[str]) -> list[Rate]:
    """The rates of a CSV file; raises InvalidRates, naming every line that is none and why."""
    rows = csv.reader(lines)
    header = [name.strip().lower() for name in next(rows, [])]
    if header and header[0].startswith("\ufeff"):
        header[0] = header[0].removeprefix("\ufeff")
    if sorted(header) != sorted(COLUMNS):
        raise InvalidRates([f"line 1: the columns are {','.join(COLUMNS)}, not {','.join(header) or 'none'}"])
    found: dict[tuple[str, str, date], Rate] = {}
    faults: list[str] = []
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            _add(found, _rate(cells, header))
        except ValueError as error:
            faults.append(f"line {rows.line_num}: {error}")
    if not found and not faults:
        faults.append("there is no rate in the file")
    if faults:
        raise InvalidRates(faults)
    return list(found.values())


def _add(found: dict[tuple[str, str, date], Rate], rate: Rate) -> None:
    key = rate.currency, rate.reporting, rate.valid_from
    if key in found:
        raise ValueError(f"{rate.currency} to {rate.reporting} from {rate.valid_from} on is there twice")
    found[key] = rate


def _rate(cells: Sequence[str], header: Sequence[str]) -> Rate:
    if len(cells) != len(header):
        raise ValueError(f"there are {len(cells)} values where {len(header)} were expected")
    values: Mapping[str, str] = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    currency, reporting = (_currency(values[name]) for name in ("currency", "reporting"))
    if currency == reporting:
        raise ValueError(f"{currency} to itself needs no rate")
    return Rate(currency, reporting, _number(values["rate"]), _day(values["valid_from"]))


def _currency(text: str) -> str:
    code = text.lower()
    if not is_currency(code):
        raise ValueError(f"{text!r} is no currency; one is usd")
    return code


def _number(text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"the rate {text!r} is no number; one is 1.0842") from None
    if not rate.is_finite() or rate <= 0:
        raise ValueError(f"the rate {text!r} is not above 0")
    if rate > LARGEST or rate < 1 / LARGEST or len(rate.as_tuple().digits) > MOST_DIGITS:
        raise ValueError(f"the rate {text!r} is beyond what a rate can be")
    return rate


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the day {text!r} is none; one is 2026-01-31") from None


def save_rates(conn: Connection, workspace_id: str, rates: Sequence[Rate], *, at: datetime) -> None:
    """Put the rates in the place of all that the workspace had."""
    conn.execute("DELETE FROM mrr_io.rates WHERE workspace_id = %s", (workspace_id,))
    with conn.cursor() as cursor:
        cursor.executemany(_SAVE, list(_rows(workspace_id, rates, at)))


def _rows(workspace_id: str, rates: Iterable[Rate], at: datetime) -> Iterator[tuple[object, ...]]:
    for rate in rates:
        yield workspace_id, rate.reporting, rate.currency, rate.valid_from, rate.rate, rate.factor, at
