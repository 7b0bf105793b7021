"""The sender: a thread that brings due emails out, each at most once.

A pass looks at every due email and makes its next move (protocol.py). The conversation itself is held outside of any
transaction, between two commits: the claim before it, the outcome after it; and one in its middle, before DATA.
A session lock says that the holder of a claim is alive, so that a conversation that nobody is at is seen at once:
before DATA it is taken up again, after it the email is unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from threading import Event, Thread
from time import monotonic
from uuid import UUID, uuid4

from pipeline.errors import PassingFault
from pipeline.failpoints import failpoint
from pipeline.log import LogReader
from pipeline.session import Session
from pipeline.transaction import Transaction
from runtime.clock import Clock
from runtime.database import Connection, Database
from runtime.health import Health
from runtime.logs import get_logger
from runtime.mail import Accepted, Mailer, Outcome, RefusedForGood, RefusedForNow, Unknown
from schemas.events.decisions import DunningSender
from services.dunning import ledger
from services.dunning.core import Due, SubjectState
from services.dunning.decisions import Image
from services.dunning.emails.message import message_id, message_of
from services.dunning.emails.render import render
from services.dunning.gate import Gate
from services.dunning.guard import Guard
from services.dunning.image import load_images
from services.dunning.ledger import Contents, Interrupted, Item, LedgerState
from services.dunning.letter import NOBODY, Letter, letter_of
from services.dunning.links import Links
from services.dunning.messages import MailKind, explanation, mail_message, refresh_message
from services.dunning.metrics import MAILS, MAILS_DUE
from services.dunning.protocol import Plan, Work, is_captured, plan_of
from services.dunning.sender_tests import SenderTests
from services.dunning.store import DunningStore

log = get_logger(__name__)

PASS_SECONDS = 0.5
UNDER_WAY_SECONDS = 0.05
"""Between passes while an email is under way: what it waits for is another process's work of milliseconds."""
UNDER_WAY_FOR = 1.0
BATCH = 200
RETRY_SECONDS = (0.5, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class _Conversation:
    """An email that was claimed: what is to be said to the mail server, and under which claim."""

    subject: str
    due: Due
    claim: UUID
    letter: Letter
    message: EmailMessage
    captured: bool


class Superseded(Exception):
    """Another process took the conversation over before DATA."""


class MailSender:
    """Sends what is due. `mailer` None: there is no mail server, and emails wait."""

    def __init__(
        self,
        database: Database,
        log_reader: LogReader,
        *,
        clock: Clock,
        mailer: Mailer | None,
        links: Links,
        health: Health,
        failed: Callable[[BaseException], None],
        written: Event | None = None,
    ) -> None:
        """`written` is set when there is something in the outbox."""
        self._session = Session(database)
        self._guard = Guard(database)
        self._store = DunningStore()
        self._clock = clock
        self._mailer = mailer
        self._links = links
        self._health = health
        self._failed = failed
        self._written = written or Event()
        self._under_way_until = 0.0
        self._gate = Gate(self._session, log_reader, clock)
        self._tests = SenderTests(self._session, self._guard, self._gate, clock=clock, mailer=mailer)
        self._schema = database.schema
        self._unrecorded: list[tuple[_Conversation, Outcome]] = []
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Send in a thread of its own."""
        self._thread = Thread(target=self._run, name="mail", daemon=True)
        self._thread.start()

    def stop(self, *, timeout: float = 40.0) -> None:
        """End after the conversation in hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def run_once(self) -> int:
        """One pass over everything that is due; gives how many emails that was. Raises PassingFault."""
        self._record_again()
        self._take_up_interrupted()
        machine_now = self._clock.machine_now()
        with self._session.transaction() as conn:
            items = ledger.work(conn, machine_now=machine_now, limit=BATCH)
        self._gate.close()
        self._tests.run_once()
        for item in items:
            if self._stopping.is_set():
                break
            self._advance(item)
        MAILS_DUE.set(len(items))
        self._health.note("mail", {"due": len(items), "blocked": self._gate.reason if items else None})
        return len(items)

    def close(self) -> None:
        """Let go of the connections."""
        self._guard.close()
        self._session.close()

    def _advance(self, item: Item) -> None:
        """The next move of one email, in a transaction that holds its subject. An email that could not go anyway
        costs no read."""
        closed = self._gate.open()
        with self._session.transaction() as conn:
            tx, state, image = self._hold(conn, item.subject)
            plan = self._plan(item, state, image)
            counted = image.until(self._clock.now())
            captured = plan.episode is not None and is_captured(state, counted, plan.episode)
            closed = closed or self._why_no_server(captured=captured)
            if plan.move == "request" and closed is not None:
                plan = Plan("wait", closed, plan.episode)
            if item.state == "unknown":
                ledger.take_over(conn, item.work.due)
                self._publish_mail(tx, state, item.work.due, "email_unknown", reason="another database announced it")
            elif plan.move not in {"send", "capture"}:
                self._move(tx, item, state, image, plan)
            moved = tx.flush()
        if moved:
            self._moved_on()
        if plan.move == "announce":
            failpoint("mail_announced")
        if plan.move in {"send", "capture"} and item.state != "unknown":
            self._bring_out(item, closed)

    def _move(self, tx: Transaction, item: Item, state: SubjectState, image: Image, plan: Plan) -> None:
        """What needs no conversation."""
        machine_now, now = self._clock.machine_now(), self._clock.now()
        if plan.move == "request" and plan.episode is not None:
            request_id = str(uuid4())
            tx.publish(refresh_message(state, item.work.due, plan.episode, request_id=request_id, at=now))
            ledger.note_request(tx.conn, item, request_id=request_id, at=machine_now)
        elif plan.move == "announce" and plan.episode is not None:
            identifier = _message_id(image, item.work.due)
            workspace_id = state.facts.workspace_id
            if ledger.announce(tx.conn, item, workspace_id=workspace_id, message_id=identifier, at=machine_now):
                why = explanation(plan.episode, item.work.due)
                self._publish_mail(tx, state, item.work.due, "email_due", identifier=identifier, detail=why)
        else:
            ledger.note_why(tx.conn, item, plan.why)

    def _bring_out(self, item: Item, closed: str | None) -> None:
        """Claim the email and hold its conversation, unless the way out is closed."""
        if closed is not None:
            with self._session.transaction() as conn:
                ledger.note_why(conn, item, closed)
            return
        with self._guard.holding(item.work.due.key) as held:
            if not held:
                return  # another process is at it
            conversation = self._claim(item)
            if conversation is not None:
                failpoint("mail_claimed")
                self._converse(conversation)

    def _why_no_server(self, *, captured: bool) -> str | None:
        """What is captured needs no mail server."""
        return None if captured or self._mailer else "there is no mail server: set SMTP_URL"

    def _claim(self, item: Item) -> _Conversation | None:
        """Look once more whether it may go, render it, and write down that it is ours."""
        due = item.work.due
        with self._session.transaction() as conn:
            _, state, image = self._hold(conn, item.subject)
            plan, now = self._plan(item, state, image), self._clock.now()
            counted = image.until(now)
            letter = letter_of(state.facts, counted, plan.episode, now) if plan.episode else None
            if plan.move not in {"send", "capture"} or letter is None:
                return None
            url = self._links.unsubscribe(state.facts.workspace_id, item.subject)
            rendered, identifier = render(letter, unsubscribe_url=url), _message_id(counted, due)
            contents = Contents(identifier, letter.recipient, rendered.subject, rendered.text, rendered.html)
            token = ledger.claim(conn, due, contents, at=self._clock.machine_now())
        if token is None:
            return None
        message = message_of(
            rendered,
            sender=letter.sender,
            recipient=letter.recipient,
            identifier=identifier,
            at=now,
            unsubscribe_url=url,
        )
        return _Conversation(item.subject, due, token, letter, message, captured=plan.move == "capture")

    def _converse(self, conversation: _Conversation) -> None:
        if conversation.captured:
            self._record(conversation, None)
            return
        assert self._mailer is not None
        try:
            outcome = self._mailer.send(
                conversation.message,
                sender=conversation.letter.sender.address,
                recipient=conversation.letter.recipient,
                before_data=lambda: self._begin_data(conversation),
            )
        except Superseded:
            log.warning("an email was taken over by another process", mail=conversation.due.key)
            return
        failpoint("mail_replied")
        try:
            self._record(conversation, outcome)
        except PassingFault:
            self._unrecorded.append((conversation, outcome))
            raise

    def _begin_data(self, conversation: _Conversation) -> None:
        at = self._clock.machine_now()
        with self._session.transaction() as conn:
            if not ledger.begin_data(conn, conversation.due, conversation.claim, at=at):
                raise Superseded
        failpoint("mail_data_started")

    def _record_again(self) -> None:
        """What is known and could not be written down yet; a restart would only find it unknown."""
        while self._unrecorded:
            self._record(*self._unrecorded[0])
            self._unrecorded.pop(0)

    def _record(self, conversation: _Conversation, outcome: Outcome | None) -> None:
        """Write down how it ended, and say so; None: it was captured."""
        state, kind, reply = _ending(outcome)
        due, machine_now = conversation.due, self._clock.machine_now()
        with self._session.transaction() as conn:
            tx, subject_state, _ = self._hold(conn, conversation.subject)
            later = machine_now + ledger.retry_after(ledger.tries_of(conn, due)) if state == "waiting" else None
            if not ledger.settle(conn, due, conversation.claim, state, reply=reply, at=machine_now, not_before=later):
                return
            if kind is not None:
                detail = {
                    "to": conversation.letter.recipient,
                    "subject": str(conversation.message["Subject"]),
                    "variant": conversation.letter.variant,
                    "tone": conversation.letter.tone,
                }
                self._publish_mail(
                    tx,
                    subject_state,
                    due,
                    kind,
                    identifier=str(conversation.message["Message-ID"]),
                    reason=reply,
                    detail=detail,
                )
            elif later is not None:
                ledger.note_why(conn, Item(conversation.subject, Work(due), None), f"tried again later: {reply}")
            tx.flush()
        self._moved_on()
        MAILS.labels(state).inc()
        self._health.progressed()
        log.info("email", mail=due.key, outcome=state, reply=reply)

    def _take_up_interrupted(self) -> None:
        """Conversations whose holder is gone: before DATA they start anew, after it the email is unknown."""
        with self._session.transaction() as conn:
            found = ledger.interrupted(conn)
        for one in found:
            with self._guard.holding(one.due.key) as held:
                if held:
                    self._take_up(one)

    def _take_up(self, one: Interrupted) -> None:
        reply = "the process ended after DATA had begun; it may have arrived"
        with self._session.transaction() as conn:
            tx, state, _ = self._hold(conn, one.subject)
            now = self._clock.machine_now()
            ending: LedgerState = "unknown" if one.data_started else "announced"
            if not ledger.settle(conn, one.due, one.claim, ending, reply=reply if one.data_started else "", at=now):
                return
            if one.data_started:
                self._publish_mail(tx, state, one.due, "email_unknown", identifier=one.message_id, reason=reply)
            tx.flush()
        if one.data_started:
            MAILS.labels("unknown").inc()
        log.warning("a conversation was interrupted", mail=one.due.key, becomes=ending)

    def _hold(self, conn: Connection, subject: str) -> tuple[Transaction, SubjectState, Image]:
        """The subject's row, locked, with what is known and what was decided."""
        tx = Transaction(conn, group=self._schema, schema=self._schema, partition=0, now=self._clock.now())
        tx.lock("subject", [subject])
        state = self._store.load(conn, [subject])[subject]
        return tx, state, load_images(conn, {subject: state.facts.workspace_id})[subject]

    def _plan(self, item: Item, state: SubjectState, image: Image) -> Plan:
        return plan_of(state, image, item.work, now=self._clock.now(), machine_now=self._clock.machine_now())

    def _publish_mail(
        self,
        tx: Transaction,
        state: SubjectState,
        due: Due,
        kind: MailKind,
        *,
        identifier: str | None = None,
        reason: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        at: datetime = self._clock.now()
        tx.publish(mail_message(state, due, kind, at=at, message_id=identifier, reason=reason, detail=detail))

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    self.run_once()
                    failures = 0
                except PassingFault as error:
                    failures += 1
                    log.warning("the sender waits", reason=str(error), failures=failures)
                self._stopping.wait(self._pause(failures))
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self.close()

    def _moved_on(self) -> None:
        """Something was said of an email: it is to be published, and what follows from it comes soon."""
        self._written.set()
        self._under_way_until = monotonic() + UNDER_WAY_FOR

    def _pause(self, failures: int) -> float:
        if failures:
            return RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
        return UNDER_WAY_SECONDS if monotonic() < self._under_way_until else PASS_SECONDS


def _ending(outcome: Outcome | None) -> tuple[LedgerState, MailKind | None, str]:
    """(state of the ledger, event to publish, what is told) of an outcome."""
    match outcome:
        case None:
            return "captured", "email_captured", "kept instead of sent: shadow mode, or test mode and not allowed"
        case Accepted(reply):
            return "sent", "email_sent", reply
        case RefusedForGood(_, reply):
            return "failed", "email_failed", reply
        case RefusedForNow(reply):
            return "waiting", None, reply
        case Unknown(reply):
            return "unknown", "email_unknown", reply


def _message_id(image: Image, due: Due) -> str:
    sender = image.sender or image.last(DunningSender) or NOBODY
    return message_id(sender, episode_id=due.episode_id, step=due.step, attempt=due.attempt)
