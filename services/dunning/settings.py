"""Settings of dunning."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

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
    public_url: str | None = Field(None, description="The console's address, for unsubscribe links.")
    unsubscribe_key_file: Path | None = Field(
        None, description="Holds the key that unsubscribe links are signed with; the console has the same."
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_a_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                MailServer.of(value.get_secret_value())
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return value

    @property
    def mail_server(self) -> MailServer | None:
        return MailServer.of(self.smtp_url.get_secret_value()) if self.smtp_url else None
