"""Ids and tokens: what is minted, and what of a token may be kept."""

import hashlib
import hmac
import secrets
from datetime import datetime

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_DIGITS, _RANDOM_DIGITS = 10, 16


def mint_id(prefix: str, now: datetime) -> str:
    """`prefix_` and 26 characters, the first ten of which grow with time (milliseconds), the rest random."""
    value = int(now.timestamp() * 1000) << (5 * _RANDOM_DIGITS) | secrets.randbits(5 * _RANDOM_DIGITS)
    digits = (_CROCKFORD[value >> 5 * place & 31] for place in reversed(range(_TIME_DIGITS + _RANDOM_DIGITS)))
    return f"{prefix}_{''.join(digits)}"


def mint_token(prefix: str = "") -> str:
    """A secret of 256 bits that can stand in an address."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token: tokens are random, so a plain hash cannot be turned back or guessed."""
    return hashlib.sha256(token.encode()).digest()


def form_token(cookie: str) -> str:
    """The token a form must carry for the browser that holds this cookie: whoever cannot read it cannot make it."""
    return hmac.new(cookie.encode(), b"dropfix form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Equality that takes as long whatever differs."""
    return hmac.compare_digest(one.encode(), other.encode())
