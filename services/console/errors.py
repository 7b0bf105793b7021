"""Exceptions of the console.

ConsoleError
 ├─ NotSignedIn       a page was asked for without a session: the browser is sent to sign in
 ├─ Refused           a request that cannot be done as it is; says why and what to do (4xx)
 └─ Unavailable       something the console stands on does not answer (503)
"""

from http import HTTPStatus


class ConsoleError(Exception):
    """Base of everything that the console raises on purpose. Messages never hold what the visitor pasted."""


class NotSignedIn(ConsoleError):
    """There is no session, or it ended."""


class Refused(ConsoleError):
    """A request that is answered with an error a person can act on.

    `code` is for programs and stable; `message` says what is wrong, `remedy` what to do next.
    """

    def __init__(
        self,
        code: str,
        message: str,
        remedy: str = "",
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.code = code
        self.message = message
        self.remedy = remedy
        self.status = status
        self.retry_after_s = retry_after_s


class Unavailable(Refused):
    """What the console stands on does not answer; the same request may go through later."""

    def __init__(self, message: str, remedy: str = "Try again in a moment.") -> None:
        super().__init__("unavailable", message, remedy, HTTPStatus.SERVICE_UNAVAILABLE, retry_after_s=5)
