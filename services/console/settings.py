"""The console's settings."""

from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from runtime.errors import VaultError
from runtime.settings import ServiceSettings, read_secret
from runtime.vault import PUBLIC_PREFIX, PublicKey

DEFAULT_PORT = 8080


class ConsoleSettings(ServiceSettings):
    """What the console takes beside what every service does. It serves pages, intake and health on one port."""

    service: ClassVar[str] = "console"

    http_port: int = Field(DEFAULT_PORT, ge=0, le=65535, description="Port of everything the console serves.")
    public_url: str | None = Field(None, description="The address people reach the console at, without a path.")
    vault_public_key: str = Field(description="The poller's public key, or a file that holds it.")
    operator_token_file: Path | None = Field(
        None, description="Holds the token of the local command line; made where it is missing. None: no operator API."
    )
    first_run_link_file: Path | None = Field(None, description="Where the one-time link of the first run is written.")
    unsubscribe_key_file: Path | None = Field(
        None, description="Holds the key that dunning signs unsubscribe links with. None: no link is valid."
    )
    trusted_proxies: str = Field("", description="Addresses of reverse proxies whose X-Forwarded-* is believed.")

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
            raise ValueError("must be like https://dropfix.example.com, without a path")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("vault_public_key")
    @classmethod
    def _is_a_public_key(cls, value: str) -> str:
        try:
            text = value if value.startswith(PUBLIC_PREFIX) else Path(value).read_text()
            return PublicKey.decode(text).encode()
        except OSError as error:
            raise ValueError(f"names a file that cannot be read: {error.strerror}") from None
        except VaultError as error:
            raise ValueError(str(error)) from None

    @field_validator("unsubscribe_key_file")
    @classmethod
    def _can_be_read(cls, value: Path | None) -> Path | None:
        if value is not None:
            read_secret("DROPFIX_UNSUBSCRIBE_KEY_FILE", value)
        return value

    @property
    def unsubscribe_key(self) -> bytes | None:
        """What unsubscribe links are checked by."""
        path = self.unsubscribe_key_file
        return read_secret("DROPFIX_UNSUBSCRIBE_KEY_FILE", path).encode() if path else None

    @property
    def sealing_key(self) -> PublicKey:
        """What Stripe keys are sealed to."""
        return PublicKey.decode(self.vault_public_key)

    @property
    def secure_cookies(self) -> bool:
        """Whether people use https, so that cookies must never go over anything else."""
        return (self.public_url or "").startswith("https://")
