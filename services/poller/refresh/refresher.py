"""Answers requests for a fresh read of a customer, under the lease of its connection.

The order is that of every read: raw records are acknowledged by Kafka, then rows and answer are committed together,
then the relay publishes the answer. A crash in between reads again and publishes the same records.
"""

from dataclasses import dataclass

import stripe

from pipeline.failpoints import failpoint
from runtime.database import Connection
from runtime.logs import get_logger
from services.poller.errors import Unreadable
from services.poller.publishing.changes import Changed, Seen
from services.poller.reading.queries import Query
from services.poller.refresh.core import (
    LEAST_READS,
    Wanted,
    by_customer,
    conclude,
    is_gone,
    lists_of,
    missing_permission,
    still_to_read,
    unreadable,
    used_up,
)
from services.poller.refresh.queue import answer, asked_of
from services.poller.session import Session
from services.poller.steady.follow import intents_to_look_at, subscriptions_to_look_at
from services.poller.store import known_objects, make_due, new_ids

PURPOSE = "refresh"
log = get_logger(__name__)


@dataclass(frozen=True)
class Refresher:
    """Reads what was asked of one connection. Raises what concerns the whole connection: a key that is not accepted,
    a server that does not answer; whoever handles that answers what is still asked."""

    session: Session

    async def run(self) -> int:
        """Answer what is asked now; gives how many customers were read or refused."""
        owner = self.session.lease.owner
        asked = await self.session.shell.outside.run(lambda conn: asked_of(conn, owner))
        reads = by_customer(asked)
        for wanted in reads:
            await self._answer(wanted)
        return len(reads)

    async def _answer(self, wanted: Wanted) -> None:
        clock = self.session.shell.clock
        read_at, since = clock.machine_now(), self.session.reader.caller.versions.upcoming
        try:
            seen = await self._read(wanted)
        except (Unreadable, stripe.PermissionError, stripe.InvalidRequestError) as error:
            reason = str(error) if isinstance(error, Unreadable) else _refusal(error)
            log.info("a fresh read was refused", connection_id=self.session.connection_id, reason=reason)
            refused = unreadable(wanted.requests, reason, read_at=read_at)
            await self.session.shell.outside.run(lambda conn: answer(conn, refused, now=clock.now()))
            return

        def conclude_it(conn: Connection) -> None:
            known = known_objects(conn, self.session.connection_id, {one.object.id for one in seen})
            gone = is_gone(wanted.customer_id, seen)
            outcome, versions = conclude(wanted, known, gone=gone, since=since)
            failpoint("poller_before_answer")
            answer(conn, wanted.answers(read_at=read_at, outcome=outcome, versions=versions), now=clock.now())

        outcome = await self.session.commit(seen, conclude_it)
        await self._follow(outcome.changed, since=since)

    async def _read(self, wanted: Wanted) -> list[Seen]:
        """The customer as it is now; raises Unreadable, and the SDK's exceptions."""
        found = self.session.reader.capabilities
        if reason := missing_permission(found):
            raise Unreadable(reason)
        if self.session.meter.focused_left < LEAST_READS:
            raise Unreadable(used_up(self.session.meter.spent))
        seen: list[Seen] = []
        try:
            for query in lists_of(wanted.customer_id, found):
                seen += await self._whole_list(query)
        except stripe.InvalidRequestError:
            return await self._only_if_gone(wanted.customer_id)
        for kind, object_id in still_to_read(wanted, seen, found):
            seen += await self.session.reader.single(kind, object_id, purpose=PURPOSE)
        return seen

    async def _whole_list(self, query: Query) -> list[Seen]:
        seen: list[Seen] = []
        after: str | None = None
        while True:
            read = await self.session.reader.page(query, purpose=PURPOSE, after=after)
            seen += read.seen
            if not read.page.has_more or read.page.oldest is None:
                return seen
            after = read.page.oldest.id

    async def _only_if_gone(self, customer_id: str) -> list[Seen]:
        """Stripe lists nothing of a customer that it does not know; of a deleted one it says so when asked for it."""
        alone = await self.session.reader.single("customer", customer_id, purpose=PURPOSE)
        if not is_gone(customer_id, alone):
            raise Unreadable(f"Stripe does not list what {customer_id} has")
        return list(alone)

    async def _follow(self, changed: tuple[Changed, ...], *, since: int) -> None:
        """What a poll would look at after such changes; it will not see them as changes any more."""
        session, intents = self.session, intents_to_look_at(changed, since=self.session.connected_at)
        ids = subscriptions_to_look_at(changed) + intents
        now = session.server_now()

        def choose(conn: Connection) -> list[str]:
            make_due(conn, session.connection_id, ids, now=now, since=since)
            return new_ids(conn, session.connection_id, intents)

        if ids:
            unknown = await session.shell.outside.run(choose)
            if session.reader.capabilities.can_read("payment_intent"):
                for intent in unknown[: session.meter.timed_left]:
                    await session.read_alone("payment_intent", intent)


def _refusal(error: stripe.PermissionError | stripe.InvalidRequestError) -> str:
    """Stripe's message is not quoted: it may echo a key."""
    if isinstance(error, stripe.PermissionError):
        return "the key may not read the customer's invoices or subscriptions"
    return "Stripe does not know the customer, or an invoice of it that was named"
