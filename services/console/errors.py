"""Exceptions of the console.

ConsoleError
 ├─ NotSignedIn       a page was asked for without a session: the browser is sent to sign in
 ├─ Refused           a request that cannot be done as it is; says why and what to do (4xx)
 └─ Unavailable       something the console stands on does not answer (503)
"""

from dataclasses import dataclass
from http import HTTPStatus


class ConsoleError(Exception):
    """Base of everything that the console raises on purpose. Messages never hold what the visitor pasted."""


class NotSignedIn(ConsoleError):
    """There is no session, or it ended."""


@dataclass(frozen=True)
class Refused(ConsoleError):
    """A request that is answered with an error a person can act on.

    `code` is for programs and stable; `message` says what is wrong, `remedy` what to do next.
    """

    code: str
    message: str
    remedy: str = ""
    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    retry_after_s: int | None = None

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Unavailable(Refused):
    """What the console stands on does not answer; the same request may go through later."""

    def __init__(self, message: str, remedy: str = "Try again in a moment.") -> None:
        super().__init__("unavailable", message, remedy, HTTPStatus.SERVICE_UNAVAILABLE, 5)
