"""From the bytes of a raw record to one of Stripe's objects."""

from typing import Any

import msgspec

from schemas.stripe.objects import StripeObject

_NUL = b"\\u0000"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def parse_object(value: bytes) -> StripeObject:
    """The object; raises ValueError saying what is wrong where the bytes are no JSON object with an id.

    NUL characters are taken out of its strings: no table can hold them.
    """
    try:
        obj = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no JSON object: {error}") from error
    if b"\\" in value and _NUL in value:  # the first look is much the cheaper one
        obj = _without_nul(obj)
    found = obj.get("id")
    if not isinstance(found, str) or not found:
        raise ValueError("it has no id")
    return obj


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(member) for member in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(member) for name, member in value.items()}
    return value
