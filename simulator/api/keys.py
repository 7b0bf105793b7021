"""API keys: their form, what they may read, and whether they still work."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from simulator.company.chance import Chance
from simulator.errors import ApiError
from simulator.ids import Ids

State = Literal["valid", "revoked", "expired"]

FIVE_READS = frozenset({"customer_read", "subscription_read", "invoice_read", "charge_read", "payment_intent_read"})
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 107


@dataclass(slots=True)
class Key:
    """`permissions` None reads everything, as a secret key does."""

    name: str
    secret: str
    live: bool
    permissions: frozenset[str] | None
    state: State = "valid"

    def may(self, permission: str) -> bool:
        return self.permissions is None or permission in self.permissions

    def masked(self) -> str:
        return masked(self.secret)


def masked(secret: str) -> str:
    """As Stripe's messages show a key: the form and the last four characters."""
    head = "_".join(secret.split("_")[:2])
    return f"{head}_{'*' * 12}{secret[-4:]}"


class KeyRing:
    """The account's keys. The same seed gives the same ones, so that a restart keeps a connection."""

    def __init__(self, seed: int, ids: Ids) -> None:
        self._seed = seed
        self._tail = ids.account.removeprefix("acct_1")
        self._keys: dict[str, Key] = {}
        self.mint("full")
        self.mint("disputes", permissions=FIVE_READS | {"dispute_read"})
        self.mint("no_charges", permissions=FIVE_READS - {"charge_read"})
        self.mint("customers_only", permissions={"customer_read"})
        self.mint("live", live=True)
        self.mint("secret", prefix="sk", permissions=None)
        self.mint("publishable", prefix="pk", permissions=())
        self.mint("revoked").state = "revoked"
        self.mint("expired").state = "expired"

    def mint(
        self,
        name: str,
        *,
        prefix: str = "rk",
        live: bool = False,
        permissions: Iterable[str] | None = FIVE_READS,
    ) -> Key:
        """A new key (or a new one under an old name, whose predecessor goes on working until it is revoked)."""
        chance = Chance(self._seed, hash_of(f"{name}/{len(self._keys)}"))
        head = f"{prefix}_{'live' if live else 'test'}_51{self._tail}"
        secret = head + "".join(chance.pick(_LETTERS) for _ in range(_LENGTH - len(head)))
        key = Key(name, secret, live, None if permissions is None else frozenset(permissions))
        self._keys[secret] = key
        return key

    def named(self, name: str) -> Key:
        """The newest key of that name; KeyError when there is none."""
        return next(key for key in reversed(self._keys.values()) if key.name == name)

    def all(self) -> list[Key]:
        return list(self._keys.values())

    def authenticate(self, secret: str) -> Key:
        """The key of a request; raises Stripe's 401 for one that is missing, unknown, revoked or expired."""
        if not secret:
            raise _no_key()
        key = self._keys.get(secret)
        if key is None or key.state == "revoked":
            raise ApiError(401, f"Invalid API Key provided: {masked(secret)}")
        if key.state == "expired":
            raise ApiError(401, f"Expired API Key provided: {masked(secret)}", code="api_key_expired")
        if secret.startswith("pk_"):
            message = "This API call cannot be made with a publishable API key. Please use a secret API key."
            raise ApiError(401, message, code="secret_key_required")
        return key


def hash_of(text: str) -> int:
    """A number that depends on the text alone (the built-in hash is salted by process)."""
    return int.from_bytes(text.encode(), "big") % ((1 << 61) - 1)


def _no_key() -> ApiError:
    message = (
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
        "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for "
        "details, or we can help at https://support.stripe.com/."
    )
    return ApiError(401, message, headers={"WWW-Authenticate": 'Bearer realm="Stripe"'})


def forbidden(key: Key, permission: str, account: str) -> ApiError:
    """Stripe's 403 for a key that lacks a permission."""
    message = (
        f"The provided key '{key.masked()}' does not have the required permissions for this endpoint on account "
        f"'{account}'. Having the 'rak_{permission}' permission would allow this request to continue."
    )
    return ApiError(403, message, code="more_permissions_required")
