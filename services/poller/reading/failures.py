"""What a failed request means: what the poller does about it, and the sentence a person reads. Pure.

The mapping follows Stripe's errors: 401 the key is not accepted; 403 this key may not read this; 429 and 5xx pass;
400 and 404 say that the server lacks what was asked for. A sentence never quotes Stripe's message: it can echo a key.
"""

from dataclasses import dataclass
from enum import Enum

import stripe

from services.poller.errors import NothingLeft, PollerError, Refused, Stopped, UnreadableAnswer
from services.poller.reading.calls import NOT_TRUSTED

CREATE_KEY = "Create a restricted key at https://dashboard.stripe.com/apikeys and paste it here."
EDIT_KEY = "Edit the key's permissions in Stripe."
CHECK_ADDRESS = "Check the setting STRIPE_API_BASE."

TRUST = (
    "If a proxy of yours opens TLS connections, name the file with its CA certificate in SSL_CERT_FILE; else check"
    " STRIPE_API_BASE, and this machine's clock and certificates."
)


class Action(Enum):
    """What the poller does."""

    STOP = "stop"
    DEGRADE = "degrade"
    LACKING = "lacking"
    BACK_OFF = "back off"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure, explained. `label` is short and safe: Stripe's error type and code, for the audit."""

    action: Action
    sentence: str
    remedy: str | None
    label: str


Failing = stripe.StripeError | PollerError


def explain(error: Failing, *, base: str) -> Failure:
    """What an error of one request means; `base` is the address asked, as it may be shown."""
    if isinstance(error, stripe.AuthenticationError):
        return _not_accepted(error)
    if isinstance(error, Stopped):
        return Failure(Action.STOP, str(error), error.remedy, label_of(error))
    action, sentence, remedy = _meaning(error, base)
    return Failure(action, sentence, remedy, label_of(error))


def _meaning(error: Failing, base: str) -> tuple[Action, str, str | None]:
    table: tuple[tuple[type[Exception], Action, str, str | None], ...] = (
        (stripe.PermissionError, Action.DEGRADE, "The key may not read this.", EDIT_KEY),
        (stripe.RateLimitError, Action.BACK_OFF, "Stripe asks to slow down; reading goes on more slowly.", None),
        (
            stripe.InvalidRequestError,
            Action.LACKING,
            f"The server at {base} does not know this request.",
            CHECK_ADDRESS,
        ),
        (stripe.APIConnectionError, Action.BACK_OFF, f"{base} cannot be reached: {_cause(error)}.", _reach(error)),
        (UnreadableAnswer, Action.BACK_OFF, f"{base} does not answer as Stripe does: {error}.", CHECK_ADDRESS),
        (Refused, Action.STOP, f"{error}.", CHECK_ADDRESS),
        (stripe.StripeError, Action.BACK_OFF, f"{base} has a fault at the moment{_status(error)}.", None),
        (NothingLeft, Action.BACK_OFF, f"{error}", EDIT_KEY),
        (PollerError, Action.BACK_OFF, f"{error}.", None),
    )
    return next(row[1:] for row in table if isinstance(error, row[0]))


def _not_accepted(error: stripe.AuthenticationError) -> Failure:
    label = label_of(error)
    if _code(error) == "api_key_expired":
        return Failure(Action.STOP, "The key has expired or was rolled in Stripe.", CREATE_KEY, label)
    if "IP address" in (error.user_message or ""):
        sentence = "The key does not allow requests from this server's IP address."
        return Failure(Action.STOP, sentence, "Add the address to the key's allow-list in Stripe.", label)
    return Failure(
        Action.STOP, "Stripe does not accept the key: it was deleted, or is not complete.", CREATE_KEY, label
    )


def _reach(error: Failing) -> str:
    return TRUST if isinstance(error, stripe.StripeError) and _code(error) == NOT_TRUSTED else CHECK_ADDRESS


def _cause(error: Failing) -> str:
    return str(getattr(error, "user_message", None) or "there is no connection")


def _status(error: Failing) -> str:
    status = getattr(error, "http_status", None)
    return f" (HTTP {status})" if status else ""


def _code(error: stripe.StripeError) -> str | None:
    inner = getattr(error, "error", None)
    code = error.code or getattr(inner, "code", None)
    return code if isinstance(code, str) else None


def label_of(error: Failing) -> str:
    """Stripe's error type and code where there are such, else the exception's name."""
    if not isinstance(error, stripe.StripeError):
        return type(error).__name__
    kind = getattr(getattr(error, "error", None), "type", None) or type(error).__name__
    code = _code(error)
    return f"{kind}/{code}" if code else str(kind)
