"""The vault: a secret is sealed to the one service that uses it, and bound to what it belongs to.

Sealing takes a public key alone, so the web-facing console can seal a Stripe key and never open it. X25519 agrees
on a secret with a key made for this one sealing, HKDF-SHA256 derives an AES-256-GCM key from it, and the associated
data (for a Stripe key: its connection) is authenticated, so that a sealed key copied to another row does not open.

A sealed secret is `version ‖ key id (8) ‖ ephemeral public key (32) ‖ nonce (12) ‖ ciphertext`.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.errors import VaultError

_VERSION = b"\x01"
_KEY_ID, _POINT, _NONCE = 8, 32, 12
_HEADER = 1 + _KEY_ID + _POINT + _NONCE
_INFO = b"dropfix vault v1"
PRIVATE_PREFIX, PUBLIC_PREFIX = "dropfix-private-", "dropfix-public-"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What seals. `key_id` names it, so that a rotated keyring knows which key opens."""

    raw: bytes

    @property
    def key_id(self) -> str:
        return _key_id(self.raw).hex()

    def encode(self) -> str:
        """One line of text, safe to show."""
        return PUBLIC_PREFIX + urlsafe_b64encode(self.raw).decode()

    @classmethod
    def decode(cls, text: str) -> "PublicKey":
        """Raises VaultError where the text is not a public key of the vault."""
        return cls(_decode(text, PUBLIC_PREFIX))

    def seal(self, secret: bytes, *, associated: bytes) -> bytes:
        """Seal a secret so that only the private key opens it, and only with the same associated data."""
        ephemeral = X25519PrivateKey.generate()
        point = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.raw))
        nonce = os.urandom(_NONCE)
        header = _VERSION + _key_id(self.raw) + point + nonce
        return header + AESGCM(_derive(shared, point, self.raw)).encrypt(nonce, secret, header + associated)


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """What opens. Its representation never holds it."""

    _raw: bytes

    @classmethod
    def generate(cls) -> "PrivateKey":
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def decode(cls, text: str) -> "PrivateKey":
        """Raises VaultError where the text is not a private key of the vault."""
        return cls(_decode(text, PRIVATE_PREFIX))

    def encode(self) -> str:
        """One line of text: a secret, for a file with mode 0600 or a secret store."""
        return PRIVATE_PREFIX + urlsafe_b64encode(self._raw).decode()

    @property
    def public(self) -> PublicKey:
        return PublicKey(X25519PrivateKey.from_private_bytes(self._raw).public_key().public_bytes_raw())

    def open(self, sealed: bytes, *, associated: bytes) -> bytes:
        """The secret; raises VaultError where it was sealed to another key or for something else."""
        header, ciphertext = sealed[:_HEADER], sealed[_HEADER:]
        point, nonce = header[1 + _KEY_ID : 1 + _KEY_ID + _POINT], header[-_NONCE:]
        try:
            shared = X25519PrivateKey.from_private_bytes(self._raw).exchange(X25519PublicKey.from_public_bytes(point))
            key = _derive(shared, point, self.public.raw)
            return AESGCM(key).decrypt(nonce, ciphertext, header + associated)
        except (InvalidTag, ValueError):
            raise VaultError("the sealed secret does not open: it was changed, or sealed for something else") from None

    def __repr__(self) -> str:
        return f"PrivateKey(key_id={self.public.key_id})"


class Keyring:
    """The private keys that a service holds; the first seals anew, any opens what was sealed to it."""

    def __init__(self, keys: Iterable[PrivateKey]) -> None:
        self._keys = {key.public.key_id: key for key in keys}
        if not self._keys:
            raise VaultError("the keyring holds no key; make one with `dropfix secrets make`")

    @classmethod
    def read(cls, path: Path) -> "Keyring":
        """From a file with one private key a line, the current one first; raises VaultError."""
        try:
            lines = path.read_text().split()
        except OSError as error:
            raise VaultError(f"the keyring {path} cannot be read: {error.strerror}") from error
        return cls(PrivateKey.decode(line) for line in lines)

    @property
    def public(self) -> PublicKey:
        """The key to seal to now."""
        return next(iter(self._keys.values())).public

    def open(self, sealed: bytes, *, associated: bytes) -> bytes:
        """The secret; raises VaultError where no key of the ring opens it."""
        if len(sealed) <= _HEADER or sealed[:1] != _VERSION:
            raise VaultError("this is not a sealed secret of the vault")
        key = self._keys.get(sealed[1 : 1 + _KEY_ID].hex())
        if key is None:
            raise VaultError(
                "the secret was sealed to a key that is not in this keyring; add the old key, or seal again"
            )
        return key.open(sealed, associated=associated)


def _key_id(public: bytes) -> bytes:
    return sha256(public).digest()[:_KEY_ID]


def _derive(shared: bytes, point: bytes, recipient: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=point + recipient, info=_INFO).derive(shared)


def _decode(text: str, prefix: str) -> bytes:
    text = text.strip()
    kind = prefix.split("-")[1]
    try:
        raw = urlsafe_b64decode(text.removeprefix(prefix))
    except ValueError:
        raw = b""
    if not text.startswith(prefix) or len(raw) != _POINT:
        raise VaultError(f"this is not a {kind} key of the vault; it starts with {prefix}")
    return raw
