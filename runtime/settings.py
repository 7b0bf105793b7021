"""Settings: from the environment, and from a TOML file that `DROPFIX_SETTINGS_FILE` names.

The environment wins over the file. A file holds the same names in lower case without the `DROPFIX_` prefix, and a
table per service for what only that service takes:

    kafka_bootstrap_servers = "kafka:9092"
    [poller]
    stripe_api_base = "https://api.stripe.com"

Everything is validated at the start; what is wrong is told all at once.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from psycopg.conninfo import make_conninfo
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from runtime.errors import SettingsError

SETTINGS_FILE = "DROPFIX_SETTINGS_FILE"
S = TypeVar("S", bound="BrokerSettings")


def _plain(name: str) -> AliasChoices:
    """A setting that is known by its own name in the environment, without DropFix's prefix."""
    return AliasChoices(name.lower(), name)


class BrokerSettings(BaseSettings):
    """How Kafka is reached: what every service takes, and the commands that make and describe topics."""

    model_config = SettingsConfigDict(env_prefix="DROPFIX_", extra="ignore", populate_by_name=True)
    service: ClassVar[str] = "dropfix"

    kafka_bootstrap_servers: str = Field(validation_alias=_plain("KAFKA_BOOTSTRAP_SERVERS"))
    kafka_security_protocol: str = Field("PLAINTEXT", validation_alias=_plain("KAFKA_SECURITY_PROTOCOL"))
    kafka_sasl_mechanism: str | None = Field(None, validation_alias=_plain("KAFKA_SASL_MECHANISM"))
    kafka_sasl_username: str | None = Field(None, validation_alias=_plain("KAFKA_SASL_USERNAME"))
    kafka_sasl_password: SecretStr | None = Field(None, validation_alias=_plain("KAFKA_SASL_PASSWORD"))
    kafka_ssl_cafile: Path | None = Field(None, validation_alias=_plain("KAFKA_SSL_CAFILE"))
    topic_prefix: str = ""
    topic_replication: int = Field(1, ge=1, description="Replication factor of topics that are created.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls, cls.service)


class ServiceSettings(BrokerSettings):
    """What every service takes."""

    service: ClassVar[str] = "service"

    database_url: SecretStr = Field(validation_alias=_plain("DATABASE_URL"))
    database_password_file: Path | None = Field(
        None,
        validation_alias=_plain("DATABASE_PASSWORD_FILE"),
        description="A file whose content is the password that DATABASE_URL lacks.",
    )
    clock: str = Field("real", description="`real`, or the path of a clock file.")
    http_host: str = "127.0.0.1"
    http_port: int = Field(0, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics; 0 takes a free one.")
    log_level: str = "INFO"

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        return value

    @model_validator(mode="after")
    def _take_the_password_from_its_file(self) -> Self:
        if self.database_password_file is not None:
            password = read_secret("DATABASE_PASSWORD_FILE", self.database_password_file)
            url = make_conninfo(self.database_url.get_secret_value(), password=password)
            self.database_url = SecretStr(url)
        return self

    @field_validator("log_level")
    @classmethod
    def _is_a_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()


class _FileSource(PydanticBaseSettingsSource):
    """The TOML file, its service's table laid over its top level."""

    def __init__(self, settings_cls: type[BaseSettings], service: str) -> None:
        super().__init__(settings_cls)
        self._values = _read_file(service)

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._values)


def _read_file(service: str) -> Mapping[str, Any]:
    named = os.environ.get(SETTINGS_FILE)
    if not named:
        return {}
    try:
        content = tomllib.loads(Path(named).read_text())
    except OSError as error:
        raise SettingsError(f"{SETTINGS_FILE} names {named}, which cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{named} is not TOML: {error}") from error
    shared = {name: value for name, value in content.items() if not isinstance(value, dict)}
    return {**shared, **content.get(service, {})}


def read_secret(name: str, path: Path) -> str:
    """The secret in a file that the setting `name` names; raises ValueError where it cannot be read or is empty."""
    try:
        content = path.read_text().strip()
    except OSError as error:
        raise ValueError(f"{name} names {path}, which cannot be read: {error.strerror}") from error
    if not content:
        raise ValueError(f"{name} names {path}, which is empty")
    return content


def load_settings(cls: type[S], **overrides: Any) -> S:
    """The settings of a service; raises SettingsError listing everything that is missing or wrong."""
    try:
        return cls(**overrides)
    except ValidationError as error:
        raise SettingsError(_explain(cls, error)) from None


def _explain(cls: type[BrokerSettings], error: ValidationError) -> str:
    lines = [f"{cls.service} cannot start; {error.error_count()} setting(s) are missing or wrong:"]
    for fault in error.errors(include_input=False, include_url=False):
        name = f"{_environment_name(cls, str(fault['loc'][0]))}: " if fault["loc"] else ""
        lines.append(f"  {name}{fault['msg'].removeprefix('Value error, ')}")
    lines.append(f"Set them in the environment or in the file that {SETTINGS_FILE} names.")
    return "\n".join(lines)


def _environment_name(cls: type[BrokerSettings], name: str) -> str:
    field = cls.model_fields.get(name.lower())
    if field is not None and isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[-1])
    return name if name.isupper() else f"DROPFIX_{name.upper()}"
