"""Settings of dunning."""

from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, model_validator

from pipeline.worker import SourceName
from runtime.errors import SettingsError
from runtime.mail import MailServer
from runtime.settings import ServiceSettings


class DunningSettings(ServiceSettings):
    """What dunning takes beside what every service takes."""

    service: ClassVar[str] = "dunning"

    source: SourceName = Field("kafka-python", description="What reads Kafka: kafka-python or faust.")
    smtp_url: SecretStr | None = Field(
        None,
        validation_alias="SMTP_URL",
        description="Where mail goes: smtp://, smtp+starttls:// or smtps://. None: emails wait, nothing is lost.",
    )
    smtp_password_file: Path | None = Field(
        None,
        validation_alias="SMTP_PASSWORD_FILE",
        description="A file whose content is the password that SMTP_URL lacks; empty: the server asks for none.",
    )
    public_url: str | None = Field(None, description="The console's address, for unsubscribe links.")
    unsubscribe_key_file: Path | None = Field(
        None, description="Holds the key that unsubscribe links are signed with; the console has the same."
    )

    @model_validator(mode="after")
    def _names_a_mail_server(self) -> Self:
        try:
            _ = self.mail_server
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def mail_server(self) -> MailServer | None:
        """The server that SMTP_URL names, with the password from its file; None: emails wait."""
        if self.smtp_url is None:
            return None
        url, file = self.smtp_url.get_secret_value(), self.smtp_password_file
        return MailServer.of(_with_password(url, _content(file)) if file else url)


def _content(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"SMTP_PASSWORD_FILE names {path}, which cannot be read: {error.strerror}") from None


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if not password or not user:
        return url
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{quote(password, safe='')}@{host}"))
