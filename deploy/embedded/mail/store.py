"""Where the sink keeps mails: the bytes as they came, and the envelope beside them."""

import email
import email.policy
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.places import write_whole


class NoSuchMail(EmbeddedError):
    """There is no mail of that id."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP said of a mail. `received_at` is RFC 3339, UTC; ids sort by arrival."""

    id: str
    received_at: str
    sender: str
    recipients: tuple[str, ...]
    subject: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail with its parts; one that is missing is empty."""

    envelope: Envelope
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str


class MailStore:
    """Mails in a folder, one `.eml` and one `.json` each; the latter is written last and makes the mail exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._last = 0

    def add(self, *, sender: str, recipients: Sequence[str], content: bytes) -> Envelope:
        """Keep a mail; on the disk by name before this returns, so that an accepted mail survives the sink."""
        parsed = _parse(content)
        envelope = Envelope(
            id=self._next_id(),
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sender=sender,
            recipients=tuple(recipients),
            subject=str(parsed.get("Subject", "")),
        )
        (self._folder / f"{envelope.id}.eml").write_bytes(content)
        write_whole(self._folder / f"{envelope.id}.json", json.dumps(asdict(envelope)))
        return envelope

    def _next_id(self) -> str:
        self._last = max(self._last + 1, time.time_ns())
        return str(self._last)

    def list(self, *, recipient: str | None = None, limit: int = 500) -> list[Envelope]:
        """The newest first; `recipient` narrows to mails for that address."""
        found: list[Envelope] = []
        for file in sorted(self._folder.glob("*.json"), reverse=True):
            envelope = _envelope(file)
            if recipient is None or recipient.lower() in map(str.lower, envelope.recipients):
                found.append(envelope)
            if len(found) == limit:
                break
        return found

    def read(self, mail_id: str) -> Mail:
        """One mail; raises NoSuchMail."""
        parsed = _parse(self.raw(mail_id))
        return Mail(
            envelope=_envelope(self._folder / f"{mail_id}.json"),
            headers=tuple((name, str(value)) for name, value in parsed.items()),
            text=_part(parsed, "plain"),
            html=_part(parsed, "html"),
        )

    def raw(self, mail_id: str) -> bytes:
        """The bytes as they came; raises NoSuchMail."""
        file = self._folder / f"{mail_id}.eml"
        if not mail_id.isdigit() or not file.exists():
            raise NoSuchMail(f"there is no mail {mail_id}")
        return file.read_bytes()


def _parse(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body is not None else ""


def _envelope(file: Path) -> Envelope:
    content = json.loads(file.read_text())
    return Envelope(**{**content, "recipients": tuple(content["recipients"])})
