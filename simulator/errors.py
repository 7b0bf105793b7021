"""What the simulator raises.

SimulatorError
├── SetupError     a setting or clock file that cannot be used: told to whoever started it
└── ApiError       an answer in Stripe's error envelope
"""

from typing import Any


class SimulatorError(Exception):
    """Base of all the simulator's errors."""


class SetupError(SimulatorError):
    """A setting or a file that cannot be used."""


class ApiError(SimulatorError):
    """An error answer as Stripe gives it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """The envelope; absent fields are left out, as Stripe does."""
        error: dict[str, Any] = {}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["message"] = self.message
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/logs/{request_id}"
        error["type"] = self.kind
        return {"error": error}
