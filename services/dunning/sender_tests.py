"""Test emails: a person asks for one, and sees what the mail server made of it, before a sender mails any customer.

Each goes at most once per decision that asked for it: its row is committed before the conversation begins, and nothing
tries it again. What a server refuses is told at once; whoever asked can ask again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

import msgspec

from pipeline.failpoints import failpoint
from pipeline.session import Session
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.mail import Accepted, Mailer, Outcome, Unknown
from schemas.events.decisions import DunningSender, DunningTestSend
from services.dunning.decisions import Image
from services.dunning.emails.message import message_of
from services.dunning.emails.render import Rendered, render, render_test
from services.dunning.emails.sample import sample_letter
from services.dunning.gate import Gate
from services.dunning.guard import Guard
from services.dunning.image import load_workspace_image

log = get_logger(__name__)

TOO_LATE = timedelta(hours=6)
"""A test that was asked for so long ago (domain time) is not sent any more: nobody waits for it, and where a log is
read anew from its beginning it went long ago."""

State = Literal["sent", "failed", "unknown"]

_ASKED = (
    "SELECT d.decision_id, d.workspace_id, d.detail, d.effective_at FROM decisions d"
    " LEFT JOIN dunning_io.sender_tests t USING (decision_id)"
    " WHERE d.kind = 'dunning.test_send' AND t.decision_id IS NULL AND d.effective_at <= %s"
    " ORDER BY d.effective_at, d.decision_id LIMIT 20"
)
_CLAIM = (
    "INSERT INTO dunning_io.sender_tests (decision_id, workspace_id, sender, recipient, state, changed_at)"
    " VALUES (%s, %s, %s, %s, 'sending', %s) ON CONFLICT DO NOTHING RETURNING 1"
)
_INTERRUPTED = "SELECT decision_id FROM dunning_io.sender_tests WHERE state = 'sending'"
_SETTLE = (
    "UPDATE dunning_io.sender_tests SET state = %s, reply = %s, changed_at = %s"
    " WHERE decision_id = %s AND state = 'sending'"
)
_TELL = "SELECT pg_notify('dropfix', 'dunning')"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A test that nobody has tried yet."""

    decision_id: str
    workspace_id: str
    what: DunningTestSend
    at: datetime


class SenderTests:
    """Sends test emails, in the thread of whoever calls `run_once`."""

    def __init__(self, session: Session, guard: Guard, gate: Gate, *, clock: Clock, mailer: Mailer | None) -> None:
        self._session = session
        self._guard = guard
        self._gate = gate
        self._clock = clock
        self._mailer = mailer

    def run_once(self) -> None:
        """Try what was asked for. Raises PassingFault."""
        with self._session.transaction() as conn:
            asked = [
                _Asked(name, workspace_id, DunningTestSend.model_validate(detail), at)
                for name, workspace_id, detail, at in conn.execute(_ASKED, (self._clock.now(),))
            ]
            interrupted = [str(name) for (name,) in conn.execute(_INTERRUPTED)]
        for decision_id in interrupted:
            with self._guard.holding(decision_id) as held:
                if held:
                    self._settle(decision_id, "unknown", "the process ended meanwhile; it may have arrived")
        for one in asked:
            with self._guard.holding(one.decision_id) as held:
                if held:
                    self._try(one)

    def _try(self, asked: _Asked) -> None:
        why_not = self._why_not(asked)
        if why_not is None and self._gate.unread:
            return  # soon: the log is being read
        image = self._claim(asked)
        if image is None:
            return
        failpoint("test_email_claimed")
        sender = image.last(DunningSender)
        if why_not is None and sender is None:
            why_not = "no sender is set"
        if why_not is not None or sender is None or self._mailer is None:
            self._settle(asked.decision_id, "failed", why_not or "")
            return
        state, reply = _ending(self._send(self._mailer, asked, sender, image))
        self._settle(asked.decision_id, state, reply)

    def _why_not(self, asked: _Asked) -> str | None:
        """What stands in the way for good; None where nothing does, or the gate only waits for the log."""
        if self._clock.now() - asked.at > TOO_LATE:
            return "it was asked for too long ago; ask for another"
        if self._mailer is None:
            return "there is no mail server: set SMTP_URL"
        reason = self._gate.open()
        return None if self._gate.unread else reason

    def _claim(self, asked: _Asked) -> Image | None:
        """Write down that it is tried, before it is; None where it was tried already."""
        with self._session.transaction() as conn:
            image = load_workspace_image(conn, asked.workspace_id).until(self._clock.now())
            sender = image.last(DunningSender)
            address = sender.address if sender else ""
            values = (asked.decision_id, asked.workspace_id, address, asked.what.to, self._clock.machine_now())
            return image if conn.execute(_CLAIM, values).fetchone() is not None else None

    def _send(self, mailer: Mailer, asked: _Asked, sender: DunningSender, image: Image) -> Outcome:
        to, now = asked.what.to, self._clock.now()
        message = message_of(
            _rendered(asked.what, sender, image, now),
            sender=sender,
            recipient=to,
            identifier=_message_id(asked, sender),
            at=now,
        )
        return mailer.send(message, sender=sender.address, recipient=to)

    def _settle(self, decision_id: str, state: State, reply: str) -> None:
        with self._session.transaction() as conn:
            conn.execute(_SETTLE, (state, reply, self._clock.machine_now(), decision_id))
            conn.execute(_TELL)
        log.info("test email", decision_id=decision_id, outcome=state, reply=reply)


def _rendered(what: DunningTestSend, sender: DunningSender, image: Image, now: datetime) -> Rendered:
    """The email that is asked for, about a made-up customer; else one that says that it is a test."""
    if what.variant is None or what.tone is None:
        return render_test(sender, image.settings)
    rendered = render(sample_letter(image, what.variant, what.tone, to=what.to, now=now))
    return msgspec.structs.replace(rendered, subject=f"[Test] {rendered.subject}")


def _ending(outcome: Outcome) -> tuple[State, str]:
    match outcome:
        case Accepted(reply):
            return "sent", reply
        case Unknown(reply):
            return "unknown", reply
        case refused:
            return "failed", refused.reply


def _message_id(asked: _Asked, sender: DunningSender) -> str:
    name = sha256(asked.decision_id.encode()).hexdigest()[:40]
    return f"<{name}@{sender.address.partition('@')[2]}>"
