"""Signed tokens: what a link carries so that whoever follows it need not sign in.

A token is `payload.signature`: the payload JSON in base64url, the signature HMAC-SHA256 of purpose and payload, so
that a token made for one purpose is worth nothing for another. It hides nothing.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from runtime.errors import RuntimeFault

UNSUBSCRIBE = "dunning.unsubscribe"
"""Purpose of the link that ends dunning emails to one customer: `<console>/unsubscribe/<token>`, GET shows a page with
a button, POST unsubscribes (RFC 8058). The token's parts are the workspace and the subject."""

MAIL_EVENTS = "dunning.mail_events"
"""Purpose of the address that a mail server reports bounces and complaints to: `<console>/hooks/mail/<token>`. The
token's part is the workspace."""


class TokenError(RuntimeFault):
    """The token was not made here, or for something else."""


def sign(key: bytes, purpose: str, parts: Sequence[str]) -> str:
    """A token that says these parts."""
    payload = _encode(json.dumps(list(parts), ensure_ascii=False, separators=(",", ":")).encode())
    return f"{payload}.{_signature(key, purpose, payload)}"


def read_signed(key: bytes, purpose: str, token: str) -> tuple[str, ...]:
    """The parts; raises TokenError."""
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(key, purpose, payload).encode()):
        raise TokenError("this link is not valid, or not complete")
    return tuple(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def _signature(key: bytes, purpose: str, payload: str) -> str:
    return _encode(hmac.digest(key, f"{purpose}\x00{payload}".encode(), sha256))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
