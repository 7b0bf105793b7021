"""The secrets of a stack: made at its first start, one a file that only its owner reads."""

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from deploy.embedded.places import write_whole
from runtime.migrations import OPERATOR
from runtime.vault import PrivateKey

VAULT_PRIVATE, VAULT_PUBLIC, OPERATOR_TOKEN, FIRST_RUN_LINK, UNSUBSCRIBE_KEY = (
    "vault_private_keys",
    "vault_public_key",
    "operator_token",
    "first_run_link",
    "unsubscribe_key",
)


class SecretFiles:
    """A folder of secrets. Each is made once and then stays, so that a restart finds what it sealed."""

    def __init__(self, folder: Path, *, mode: int = 0o600) -> None:
        """`mode` of the files; containers of another user need more than the owner's right to read."""
        self._folder = folder
        self._mode = mode

    @property
    def operator_token(self) -> Path:
        return self._made(OPERATOR_TOKEN, _token)

    @property
    def first_run_link(self) -> Path:
        """Where the console writes its one-time link; the file is the console's to make."""
        return self._folder / FIRST_RUN_LINK

    @property
    def vault_private_keys(self) -> Path:
        """The poller's keyring."""
        return self._made(VAULT_PRIVATE, lambda: PrivateKey.generate().encode())

    @property
    def vault_public_key(self) -> Path:
        """What the console seals to."""
        private = PrivateKey.decode(self.vault_private_keys.read_text().split()[0])
        return self._made(VAULT_PUBLIC, private.public.encode)

    @property
    def unsubscribe_key(self) -> Path:
        """What dunning signs unsubscribe links with, and the console reads them by."""
        return self._made(UNSUBSCRIBE_KEY, _token)

    def rotate_vault(self) -> str:
        """A new key of the vault, before those that were; its id. What was sealed to them can still be opened."""
        file, private = self.vault_private_keys, PrivateKey.generate()
        write_whole(file, private.encode() + "\n" + file.read_text(), mode=self._mode)
        write_whole(self._folder / VAULT_PUBLIC, private.public.encode() + "\n", mode=self._mode)
        return private.public.key_id

    def password_of(self, service: str) -> Path:
        """The password of a service's role in PostgreSQL, or of the operator's."""
        return self._made(f"password_{service}", _token)

    def make_all(self, services: Iterable[str]) -> list[Path]:
        """Make everything that is missing; every file."""
        return [
            self.operator_token,
            self.vault_private_keys,
            self.vault_public_key,
            self.unsubscribe_key,
            *(self.password_of(service) for service in services),
            self.password_of(OPERATOR),
        ]

    def _made(self, name: str, make: Callable[[], str]) -> Path:
        file = self._folder / name
        if not file.exists():
            write_whole(file, make() + "\n", mode=self._mode)
        return file


def _token() -> str:
    return secrets.token_urlsafe(24)
