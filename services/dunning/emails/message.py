"""The message that goes out: headers, text and HTML, as `email.message` builds it."""

from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import Policy, default
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from schemas.events.decisions import DunningSender
from services.dunning.emails.render import Rendered
from services.dunning.facts import mail_key


class _Link(BaseHeader):
    """A header that holds an address in angle brackets: on one line, as it is. Folded as text, one longer than a line
    would become an encoded word, which no mail program takes for a link."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        UniqueUnstructuredHeader.parse(value, kwds)

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_headers = HeaderRegistry()
_headers.map_to_type("list-unsubscribe", _Link)
_POLICY = default.clone(header_factory=_headers)


def message_id(sender: DunningSender, *, episode_id: str, step: int, attempt: str = "") -> str:
    """The Message-ID: a hash of episode and step, so that a repeat would be seen as one by whoever gets it."""
    name = sha256(mail_key(episode_id, step, attempt).encode()).hexdigest()[:40]
    return f"<{name}@{sender.address.partition('@')[2]}>"


def message_of(
    rendered: Rendered,
    *,
    sender: DunningSender,
    recipient: str,
    identifier: str,
    at: datetime,
    unsubscribe_url: str | None = None,
) -> EmailMessage:
    """The message. `identifier` is its Message-ID, `at` its date (aware)."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(display_name=_plain(sender.name), addr_spec=sender.address)
    message["To"] = Address(addr_spec=recipient)
    if sender.reply_to:
        message["Reply-To"] = Address(addr_spec=sender.reply_to)
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = identifier
    message["Auto-Submitted"] = "auto-generated"
    for name, value in _unsubscribe(sender, unsubscribe_url).items():
        message[name] = value
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    return message


def _unsubscribe(sender: DunningSender, url: str | None) -> dict[str, str]:
    """RFC 2369 and 8058: one click where there is a page for it, else an email to who reads the replies."""
    if url is None:
        return {"List-Unsubscribe": f"<mailto:{sender.reply_to or sender.address}?subject={quote('unsubscribe')}>"}
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _plain(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
