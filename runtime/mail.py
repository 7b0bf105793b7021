"""SMTP, typed: one conversation, and an outcome that says what may have been accepted.

The outcome is what matters to whoever must not send twice:

  Accepted        the server took the message
  RefusedForGood  it refused this recipient or this message (5xx): the same message will never be taken
  RefusedForNow   nothing was accepted, another try may be (4xx, no connection, or the server refuses *us*: greeting,
                  TLS, authentication, sender)
  Unknown         the connection broke after the message was on its way: it may have been accepted

`SMTP_URL`: `smtp://host:25` (plain), `smtp+starttls://user:password@host:587`, `smtps://user:password@host:465`;
user and password percent-encoded.
"""

import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8 as SMTPUTF8_POLICY
from io import BytesIO
from typing import Literal
from urllib.parse import unquote, urlsplit

from runtime.errors import SettingsError

TIMEOUT_SECONDS = 30.0
"""How long any one answer of the server may take."""

Security = Literal["plain", "starttls", "tls"]
_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("plain", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has the message; `reply` is what it said, usually with its queue id."""

    reply: str


@dataclass(frozen=True, slots=True)
class RefusedForGood:
    """A 5xx to this recipient or this message."""

    code: int
    reply: str


@dataclass(frozen=True, slots=True)
class RefusedForNow:
    """Nothing was accepted; another try may be."""

    reply: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Cut after the message was on its way and before the reply."""

    reply: str


Outcome = Accepted | RefusedForGood | RefusedForNow | Unknown


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where and how to send. Its representation never holds the password."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> "MailServer":
        """From an SMTP_URL; raises SettingsError saying what is wrong, never with the password."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise SettingsError(f"SMTP_URL must start with one of {', '.join(f'{s}://' for s in _SCHEMES)}")
        try:
            security, port = _SCHEMES[parts.scheme][0], parts.port or _SCHEMES[parts.scheme][1]
        except ValueError:
            raise SettingsError("SMTP_URL: the port is no number from 1 to 65535") from None
        if not parts.hostname:
            raise SettingsError("SMTP_URL names no host")
        if bool(parts.username) != bool(parts.password):
            raise SettingsError("SMTP_URL needs both a user and a password, or neither")
        user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        return cls(host=parts.hostname, port=port, security=security, user=user, password=password)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class Mailer:
    """Sends one message per conversation. `context` is for servers with certificates of their own."""

    def __init__(
        self, server: MailServer, *, timeout: float = TIMEOUT_SECONDS, context: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._context = context or ssl.create_default_context()

    @property
    def server(self) -> MailServer:
        return self._server

    def send(
        self, message: EmailMessage, *, sender: str, recipient: str, before_data: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Hold the conversation. `before_data` is called when sender and recipient were accepted, before DATA; what
        it raises ends the conversation with nothing accepted, and is raised on."""
        try:
            with self._conversation() as smtp:
                return self._converse(smtp, message, sender, recipient, before_data)
        except _Refusal as refusal:
            return refusal.outcome
        except (smtplib.SMTPException, OSError) as error:
            return RefusedForNow(f"{self._server.address}: {_text(error)}")

    def _converse(
        self,
        smtp: smtplib.SMTP,
        message: EmailMessage,
        sender: str,
        recipient: str,
        before_data: Callable[[], None],
    ) -> Outcome:
        international = not (sender + recipient).isascii()
        if international and not smtp.has_extn("smtputf8"):
            return RefusedForGood(553, f"{self._server.address} takes no addresses beyond ASCII (no SMTPUTF8)")
        options = ["smtputf8", "body=8bitmime"] if international else []
        _expect(smtp.mail(sender, options), "MAIL", ours=True)
        _expect(smtp.rcpt(recipient), "RCPT", ours=False)
        content = _bytes_of(message, international=international)
        before_data()
        _expect(smtp.docmd("DATA"), "DATA", ours=False, wanted=354)
        return _transmit(smtp, content)

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """Connected, encrypted and signed in."""
        server = self._server
        smtp: smtplib.SMTP
        if server.security == "tls":
            smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout, context=self._context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                smtp.starttls(context=self._context)
                smtp.ehlo_or_helo_if_needed()
            if server.user is not None and server.password is not None:
                smtp.login(server.user, server.password)
            yield smtp
        finally:
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
            smtp.close()


class _Refusal(Exception):
    """A reply that ends the conversation."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


def _expect(answer: tuple[int, bytes], what: str, *, ours: bool, wanted: int | None = None) -> None:
    """Go on at the wanted answer; `ours`: a refusal is about this server's trust in us, not about the recipient."""
    code, text = answer
    if code == wanted or (wanted is None and code in {250, 251, 252}):
        return
    reply = f"{what}: {code} {_decoded(text)}"
    raise _Refusal(RefusedForGood(code, reply) if 500 <= code < 600 and not ours else RefusedForNow(reply))


def _transmit(smtp: smtplib.SMTP, content: bytes) -> Outcome:
    """From here on a broken connection proves nothing."""
    try:
        smtp.send(content)
        code, text = smtp.getreply()
    except (smtplib.SMTPException, OSError) as error:
        return Unknown(f"cut after DATA: {_text(error)}")
    reply = f"{code} {_decoded(text)}"
    if 200 <= code < 300:
        return Accepted(reply)
    if 400 <= code < 500:
        return RefusedForNow(reply)
    return RefusedForGood(code, reply) if 500 <= code < 600 else Unknown(f"an answer that SMTP has not: {reply}")


def _bytes_of(message: EmailMessage, *, international: bool) -> bytes:
    """The message as DATA wants it: CRLF, dots at the start of a line doubled, the single dot at the end."""
    buffer = BytesIO()
    BytesGenerator(buffer, policy=SMTPUTF8_POLICY if international else SMTP_POLICY).flatten(message)
    content = re.sub(rb"(?m)^\.", b"..", buffer.getvalue())
    return content + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _decoded(text: bytes) -> str:
    return " ".join(text.decode(errors="replace").split())[:500]


def _text(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        raw = error.smtp_error
        return f"{error.smtp_code} {_decoded(raw if isinstance(raw, bytes) else str(raw).encode())}"
    return " ".join((str(error) or type(error).__name__).split())[:500]
