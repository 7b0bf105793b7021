"""The dunning policy as a form has it: text in, the fields that change out, each checked on its own."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from schemas.currencies import is_currency
from schemas.events.decisions import DunningPolicy
from schemas.money import major_units, minor_units
from services.console.errors import Refused

NUMBERS = {
    "wait_minutes": "How long the first email waits",
    "first_hour": "The first sending hour",
    "last_hour": "The last sending hour",
    "gap_hours": "The hours between two emails",
    "recovery_days": "The days in which a payment counts as recovered",
}
"""The fields that are whole numbers, as people know them."""
_HOURS = {"first_hour", "last_hour"}


def shown(policy: DunningPolicy) -> dict[str, str]:
    """The policy as the form's fields show it. `stop_when_canceling` is empty, or `yes`."""
    thresholds = sorted((policy.thresholds or {}).items())
    return {
        "days": ", ".join(str(day) for day in policy.days or ()),
        **{name: str(getattr(policy, name)) for name in NUMBERS},
        "stop_when_canceling": "yes" if policy.stop_when_canceling else "",
        "thresholds": ", ".join(f"{major_units(amount, code)} {code}" for code, amount in thresholds),
    }


def changes(fields: Mapping[str, str], known: DunningPolicy) -> dict[str, Any]:
    """What the form says otherwise than `known` does; raises Refused with what is wrong with a field."""
    wanted: dict[str, Any] = {
        "days": _days(fields.get("days", "")),
        **{name: _number(fields.get(name, ""), what) for name, what in NUMBERS.items()},
        "stop_when_canceling": fields.get("stop_when_canceling", "") == "yes",
        "thresholds": _thresholds(fields.get("thresholds", "")),
    }
    if wanted["first_hour"] >= wanted["last_hour"]:
        raise _refused("Emails go from the first sending hour on and before the last, so it must be earlier.")
    before = known.model_dump(mode="json")
    new = {name for name, value in wanted.items() if value != before.get(name)}
    if new & _HOURS:
        new |= _HOURS  # each makes sense beside the other alone
    return {name: value for name, value in wanted.items() if name in new}


def _days(text: str) -> list[int]:
    """`0, 3, 7`"""
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isdecimal() and len(part) < 4 for part in parts):
        raise _refused("The days of the emails are numbers with commas between them, like 0, 3, 7.")
    days = [int(part) for part in parts]
    if days != sorted(set(days)) or len(days) > 5:
        raise _refused("The days of the emails are one to five different ones, each later than the one before.")
    return days


def _number(text: str, what: str) -> int:
    if not (text.strip().isdecimal() and len(text.strip()) < 6):
        raise _refused(f"{what} is a whole number.")
    return int(text)


def _thresholds(text: str) -> dict[str, int]:
    """`5.00 usd, 500 jpy`"""
    found: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        amount, _, currency = part.partition(" ")
        code = currency.strip().lower()
        if not is_currency(code):
            raise _refused(f"A threshold is an amount with its currency, like 5.00 usd; “{part}” is not.")
        try:
            found[code] = minor_units(amount, code)
        except ValueError as error:
            raise _refused(f"Threshold: {error}.") from None
    return found


def _refused(message: str) -> Refused:
    return Refused("bad_policy", message, "", HTTPStatus.UNPROCESSABLE_ENTITY)
