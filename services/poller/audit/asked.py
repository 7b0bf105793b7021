"""What is told of one request to Stripe, when it is made and when it is looked back upon."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `status` is None where no answer came, `error` Stripe's type and code or what failed on the way;
    reads are those of the running 30 days, this one included. Never a key or a body."""

    endpoint: str
    parameters: Mapping[str, str]
    purpose: str
    status: int | None
    error: str | None
    request_id: str | None
    milliseconds: int
    objects: int
    reads_used: int
    reads_allowed: int
