"""Ids that look like Stripe's and tell, to whoever knows the seed, which object they name.

A number is scrambled by a multiplication modulo a power of 62 and written in base 62, so that an id finds its object
without a table, and neighbours do not look alike. The modern form carries the account's tail, as Stripe's do.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from simulator.company.chance import Chance

Kind = Literal[
    "customer", "subscription", "subscription_item", "invoice", "line_item", "charge", "payment_intent", "dispute",
    "invoice_payment", "refund", "discount", "coupon", "price", "product", "payment_method", "bank_charge",
]  # fmt: skip

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_HEAD = 5
_TAIL_LENGTH = 10
_REMEMBERED = 1 << 15
"""Ids last made: an object names its own and its neighbours' many times."""


@dataclass(frozen=True, slots=True)
class _Form:
    """`prefix` and, for the modern form, the generation digit that comes before the account's tail."""

    prefix: str
    generation: str = ""
    digits: int = 13


_FORMS: dict[Kind, _Form] = {
    "customer": _Form("cus_", digits=14),
    "subscription": _Form("sub_", "1"),
    "subscription_item": _Form("si_", digits=14),
    "invoice": _Form("in_", "1"),
    "line_item": _Form("il_", "1"),
    "charge": _Form("ch_", "3"),
    "bank_charge": _Form("py_", "3"),
    "payment_intent": _Form("pi_", "3"),
    "dispute": _Form("du_", "1"),
    "invoice_payment": _Form("inpay_", "1"),
    "refund": _Form("re_", "3"),
    "discount": _Form("di_", "1"),
    "coupon": _Form("", digits=8),
    "price": _Form("price_", "1"),
    "product": _Form("prod_", digits=14),
    "payment_method": _Form("pm_", "1"),
}
_MULTIPLIER = 0x5D3F_91C7_A2B4_E681_9D57
_OFFSETS = {kind: 0x9E37_79B9_7F4A_7C15_F39C * (place + 1) for place, kind in enumerate(_FORMS)}


class Ids:
    """The ids of one account."""

    def __init__(self, seed: int) -> None:
        chance = Chance(seed, 0xACC7)
        self.tail = "".join(chance.pick(_ALPHABET) for _ in range(_TAIL_LENGTH))
        self.account = "acct_1" + "".join(chance.pick(_ALPHABET) for _ in range(_HEAD)) + self.tail
        self._salt = chance.bits()
        self.encode = lru_cache(maxsize=_REMEMBERED)(self._encode)
        """The id of an object of a kind by its number."""

    def _encode(self, kind: Kind, number: int) -> str:
        form = _FORMS[kind]
        span = 62**form.digits
        text = _base62((number * _MULTIPLIER + _OFFSETS[kind] * self._salt) % span, form.digits)
        if not form.generation:
            return form.prefix + text
        return f"{form.prefix}{form.generation}{text[:_HEAD]}{self.tail}{text[_HEAD:]}"

    def decode(self, kind: Kind, text: str) -> int | None:
        """The number of an id of this account, or None when it is not one (any number may be beyond what exists)."""
        form = _FORMS[kind]
        digits = text.removeprefix(form.prefix)
        if form.generation:
            start = 1 + _HEAD
            if digits[:1] != form.generation or digits[start : start + _TAIL_LENGTH] != self.tail:
                return None
            digits = digits[1:start] + digits[start + _TAIL_LENGTH :]
        if len(digits) != form.digits or not text.startswith(form.prefix) or any(d not in _VALUE for d in digits):
            return None
        value = 0
        for digit in digits:
            value = value * 62 + _VALUE[digit]
        span = 62**form.digits
        number: int = (value - _OFFSETS[kind] * self._salt) * pow(_MULTIPLIER, -1, span) % span
        return number


_HALF = 4
_MACHINE = 62 ** (2 * _HALF)
"""Numbers below are one machine word, which Python divides several times faster."""
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


def _base62(value: int, digits: int) -> str:
    parts = []
    high, value = divmod(value, _MACHINE)
    for _ in range(_HALF):
        value, rest = divmod(value, 3844)
        parts.append(_PAIRS[rest])
    while high:
        high, rest = divmod(high, 3844)
        parts.append(_PAIRS[rest])
    parts.reverse()
    return "".join(parts).rjust(digits, "0")[-digits:]
