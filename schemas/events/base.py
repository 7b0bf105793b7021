"""What all value models share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""An aware instant, kept in UTC."""

Currency = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
"""ISO 4217 in lower case, as Stripe writes it."""

MinorUnits = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""An amount in the currency's smallest unit (cents; whole yen; fils)."""


class Event(BaseModel):
    """A record's value. Unknown fields are ignored, so that an older reader accepts a newer record."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encode(self) -> bytes:
        """The value as it is put on the topic."""
        encoded: bytes = self.__pydantic_serializer__.to_json(self)
        return encoded


class Source(Event):
    """The record that something was derived from: where it lies in the log."""

    topic: str
    partition: int
    offset: int
