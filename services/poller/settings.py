"""Settings of the poller."""

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, field_validator

from runtime.settings import ServiceSettings
from services.poller.reading.transport import StripeAddress


class Settings(ServiceSettings):
    """What the poller takes beside what every service takes."""

    service: ClassVar[str] = "poller"

    stripe_api_base: str = Field(
        "https://api.stripe.com",
        validation_alias=AliasChoices("stripe_api_base", "STRIPE_API_BASE"),
        description="Where Stripe's API is; may carry a path that everything is below.",
    )
    vault_private_keys: Path = Field(description="File with the vault's private keys, one a line, the current first.")
    stripe_timeout_seconds: float = Field(25.0, gt=0, description="How long an answer may take.")
    poll_seconds: int = Field(300, ge=10, description="Interval of polls, in domain time.")
    history_days: int = Field(90, ge=1, description="How far back invoices, charges and payment intents are read.")
    connections_at_once: int = Field(8, ge=1, description="Connections that are worked on side by side.")

    @field_validator("stripe_api_base")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return StripeAddress.parse(value).base
