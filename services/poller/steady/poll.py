"""One poll of a connection: its list calls, then what they make worth reading alone.

A cursor moves in the transaction that commits the last page of its call; a sweep's in that of each page.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import stripe

from runtime.database import Connection
from runtime.logs import get_logger
from services.poller.budget import Spent, kept
from services.poller.connecting.connect import probe
from services.poller.errors import AbilitiesChanged, UnreadableAnswer
from services.poller.kinds import KINDS, Kind
from services.poller.publishing.changes import Changed, Outcome, Seen
from services.poller.publishing.publish import Effect
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.failures import Failing
from services.poller.reading.queries import Query
from services.poller.reading.reader import PageRead
from services.poller.session import Session
from services.poller.steady.follow import (
    charges_to_look_at,
    intents_to_look_at,
    settled_intents,
    subscriptions_to_look_at,
    unmatched_customers,
)
from services.poller.steady.plan import (
    HOT,
    ONE_CALL,
    SWEEPS,
    Call,
    Cursor,
    Sizes,
    Tier,
    advanced,
    call_of,
    extras_of,
    lent_to_customers,
    letter_for,
    letters_of,
    singles_of,
    tier_of,
)
from services.poller.store import (
    Created,
    cursors,
    due_objects,
    invoices_of,
    make_due,
    mark_missing,
    measure,
    move_cursor,
    new_ids,
)
from services.poller.together import together

FOLLOWED = 3
"""How often what was read alone is followed further: a charge to its invoice, the invoice to its subscription."""
MEASURE_EVERY = 12
MISSING_AFTER: dict[str, str] = {"C": "left_open_set", "S": "not_listed_customers", "W": "not_listed_subscriptions"}
"""Calls whose page shows everything of its range, and the statement that marks what it lacks."""
log = get_logger(__name__)


@dataclass
class Polled:
    """What a poll did: list calls made, calls left out for the budget, until when reads of single things are used up,
    whether the key or the server gives something else than before, and the first failure of those after which the rest
    was read all the same."""

    list_calls: int = 0
    left_out: tuple[str, ...] = ()
    singles_spent: Spent | None = None
    abilities_changed: bool = False
    failure: Failing | None = None
    sizes: Sizes = field(default_factory=Sizes)


class Poll:
    """One poll. Raises what stops it; what was committed until then stays. AbilitiesChanged says that the key may read
    nothing any more. A list that fails where the server answers others stops only itself: its cursor stays."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reader = session.reader
        self._result = Polled()
        self._began = session.reader.caller.versions.upcoming
        self._changed: dict[str, Changed] = {}
        self._disputed: dict[str, Kind] = {}
        self._attempted = False
        self._probed = False

    async def run(self) -> Polled:
        session = self._session
        tick = session.lease.tick
        known = await session.shell.outside.run(lambda conn: cursors(conn, session.connection_id))
        sizes = await self._sizes(tick)
        self._result.sizes = sizes
        tier = tier_of(sizes, allowed=session.meter.allowed)
        disputes, lent = self._reader.capabilities.can_read("dispute"), lent_to_customers(sizes)
        wanted = letters_of(tier, tick, disputes=disputes, lent=lent)
        turn = session.meter.may_poll(session.shell.clock.now())
        letters = kept(wanted, session.meter.calls_affordable()) if turn else ()
        self._result.left_out = tuple(letter for letter in wanted if letter not in letters)
        await self._read_all(letters, known, sizes, tier)
        extras = extras_of(tier, tick)[: session.meter.timed_left]
        await self._read_all(extras, known, sizes, tier, extra=True)
        room = await self._look_closer(min(singles_of(sizes), session.meter.timed_left))
        if tier in ONE_CALL and self._attempted and "A" not in extras and session.meter.timed_left:
            await self._read_all(("A",), known, sizes, tier, extra=True)
            await self._look_closer(min(room, session.meter.timed_left))
        self._result.singles_spent = session.meter.spent
        self._look_at_version()
        return self._result

    async def _sizes(self, tick: int) -> Sizes:
        session = self._session
        if session.lease.sizes is not None and tick % MEASURE_EVERY:
            return session.lease.sizes
        return await self._measure()

    async def _measure(self) -> Sizes:
        connection_id = self._session.connection_id
        return await self._session.shell.outside.run(lambda conn: measure(conn, connection_id))

    async def _read_all(
        self, letters: Iterable[str], known: dict[str, Cursor], sizes: Sizes, tier: Tier, *, extra: bool = False
    ) -> None:
        for wanted in letters:
            letter = letter_for(wanted, self._reader.capabilities)
            cursor = known.get(letter, Cursor(at=self._session.connected_at) if letter in HOT else Cursor())
            found = self._reader.capabilities
            call = call_of(letter, cursor, found, sizes, tier=tier, now=self._now(), extra=extra)
            if call is None:
                continue
            try:
                await self._read(call, cursor)
            except (stripe.PermissionError, stripe.InvalidRequestError) as error:
                if call.query.search is not None:
                    self._without_search()
                    await self._read_all((wanted,), known, sizes, tier, extra=extra)
                elif isinstance(error, stripe.PermissionError) and await self._gives_less(than=found):
                    await self._read_all((wanted,), known, sizes, tier, extra=extra)
                else:
                    self._remember(error, call=letter)
            except (stripe.APIError, UnreadableAnswer) as error:
                self._remember(error, call=letter)

    def _remember(self, error: stripe.StripeError | UnreadableAnswer, *, call: str) -> None:
        """One list fails: the others are read, and the poll tells of it. Where none has answered the server is to be
        left alone."""
        log.warning("a list cannot be read", call=call, error=type(error).__name__)
        if self._result.failure is not None and not self._result.list_calls:
            raise error
        self._result.failure = self._result.failure or error

    async def _read(self, call: Call, cursor: Cursor) -> None:
        """All pages of a call that this poll takes."""
        version = self._reader.caller.versions.upcoming
        walk = _Walk(call, cursor if cursor.pass_version else replace(cursor, pass_version=version), began=self._now())
        while True:
            read = await self._page(call, walk)
            if call.purpose != "focused":
                self._result.list_calls += 1
            walk.advance(read)
            await self._commit(read.seen, *self._moving(walk))
            if walk.done or (call.pages is not None and walk.pages >= call.pages):
                break
        if call.letter == "W" and not walk.done:
            await self._measure()  # it has outgrown its one page: the next poll goes by that

    async def _page(self, call: Call, walk: "_Walk") -> PageRead:
        query, after = walk.query, walk.after
        if query.search is not None:
            return await self._reader.page(query, purpose=call.purpose, page=walk.token)
        try:
            return await self._reader.page(query, purpose=call.purpose, after=after)
        except stripe.InvalidRequestError:
            if after is None:
                raise
            # The object that the page was to follow is gone; the range of creation leads on alone.
            walk.after = None
            return await self._reader.page(query, purpose=call.purpose)

    def _moving(self, walk: "_Walk") -> tuple[Effect, ...]:
        """What to write with a page: where the cursor is now, and what the page should have shown and did not."""
        to, lacking = walk.cursor_now(), MISSING_AFTER.get(walk.call.letter)
        if walk.call.letter == "W" and not walk.done:
            lacking = None
        connection_id, letter, now = self._session.connection_id, walk.call.letter, self._now()
        span, since = walk.shown, walk.cursor.pass_version or 0

        def move(conn: Connection) -> None:
            if to is not None:
                move_cursor(conn, connection_id, letter, to)
            if lacking is not None:
                mark_missing(conn, connection_id, lacking, span, now=now, since=since)

        return () if to is None and lacking is None else (move,)

    async def _commit(self, seen: Iterable[Seen], *effects: Effect) -> None:
        self._note(await self._session.commit(tuple(seen), *effects))

    def _note(self, outcome: Outcome) -> None:
        for row in outcome.changed:
            self._changed[row.object_id] = row
            self._attempted |= row.known.kind == "invoice" and row.facts.attempted
        for kind, object_id in outcome.disputed:
            self._disputed[object_id] = kind

    async def _gives_less(self, *, than: Capabilities) -> bool:
        """Whether the key lost a permission since a list was asked for: then that list is left alone, or asked for
        less, and the rest goes on.

        Which one it lost is looked at, once in a poll: a list is refused also for what it was to bring along of another
        kind, and a refusal may pass.
        """
        if not self._probed:
            self._probed, before = True, self._reader.capabilities
            self._reader.capabilities = (await probe(self._reader)).capabilities.no_more_than(before)
            self._result.abilities_changed |= self._reader.capabilities != before
        if not self._reader.capabilities.any_readable:
            raise AbilitiesChanged("the key may read nothing any more")
        return self._reader.capabilities != than

    def _look_at_version(self) -> None:
        """The server may answer in another version of the API than when the key was connected."""
        caller, found = self._reader.caller, self._reader.capabilities
        if caller.echoed is not None and caller.other_version != found.other_version:
            self._reader.capabilities = replace(found, other_version=caller.other_version)
            self._result.abilities_changed = True

    def _without_search(self) -> None:
        """The server refuses a search that it answered when the key was connected: its list is read from now on."""
        self._reader.capabilities = self._reader.capabilities.without_search()
        self._result.abilities_changed = True

    def _now(self) -> int:
        """The server's time: what is due of an object is due by it."""
        return self._session.server_now()

    async def _look_closer(self, room: int) -> int:
        """Focused reads, at most `room` of them: news of charges first, then what follows of them and what is due.
        Gives the room that is left."""
        try:
            for _ in range(FOLLOWED):
                news, self._changed = self._changed, {}
                room = await self._follow(news, room)
                if not self._changed:
                    break
        except (stripe.APIError, UnreadableAnswer) as error:
            self._remember(error, call="focused")
        return room

    async def _follow(self, news: dict[str, Changed], room: int) -> int:
        session, now = self._session, self._now()
        room -= await self._find_invoices(news, room)
        intents = intents_to_look_at(news.values(), since=session.connected_at)
        ids = subscriptions_to_look_at(news.values()) + charges_to_look_at(news.values()) + intents
        disputed, self._disputed = self._disputed, {}
        readable = [kind for kind in KINDS if self._reader.capabilities.can_read(kind)]

        def choose(conn: Connection) -> list[tuple[Kind, str]]:
            make_due(conn, session.connection_id, ids, now=now, since=self._began)
            unknown: list[tuple[Kind, str]] = [
                ("payment_intent", one)
                for one in new_ids(conn, session.connection_id, intents)
                if "payment_intent" in readable
            ]
            due = due_objects(conn, session.connection_id, readable, now=now, limit=room) if room > 0 else []
            return [*unknown, *due][: max(0, room)]

        chosen = [(kind, object_id) for object_id, kind in disputed.items() if kind in readable]
        chosen += await session.shell.outside.run(choose)
        for outcome in await together(session.read_alone(kind, object_id) for kind, object_id in chosen):
            self._note(outcome)
        return room - len(chosen)

    async def _find_invoices(self, news: dict[str, Changed], room: int) -> int:
        """Charges that newly settled: their invoices are due, and one that is on no known invoice (a renewal's was a
        draft when it was seen) is looked for among its customer's. Gives the reads made."""
        session, settled = self._session, settled_intents(news.values())
        if not settled:
            return 0
        on, now = await self._invoices_known(settled), self._now()
        await session.shell.outside.run(
            lambda conn: make_due(conn, session.connection_id, list(on.values()), now=now, since=self._began)
        )
        asked = unmatched_customers(settled, on)[: max(0, room)]
        if not self._reader.capabilities.can_read("invoice"):
            return 0
        await together(self._invoices_of(customer, status) for customer, status in asked)
        return len(asked) + await self._find_closed(settled, asked, room - len(asked))

    async def _find_closed(
        self, settled: Mapping[str, Changed], asked: Iterable[tuple[str, str | None]], room: int
    ) -> int:
        """Payments that failed, on no invoice that is open: theirs were closed since. Gives the reads made."""
        open_ones = {customer for customer, status in asked if status == "open"}
        if not open_ones or room <= 0:
            return 0
        unmatched = unmatched_customers(settled, await self._invoices_known(settled))
        closed = [customer for customer, _ in unmatched if customer in open_ones][:room]
        await together(self._invoices_of(customer, None) for customer in closed)
        return len(closed)

    async def _invoices_known(self, intents: Iterable[str]) -> dict[str, str]:
        connection_id, wanted = self._session.connection_id, list(intents)
        return await self._session.shell.outside.run(lambda conn: invoices_of(conn, connection_id, wanted))

    async def _invoices_of(self, customer: str, status: str | None) -> None:
        """The customer's invoices: those of a status however old they are, without one as far back as history goes.
        Where they cannot be read the poll goes on without them: their list shows them later."""
        filters = {"customer": customer} | ({"status": status} if status else {})
        found = self._reader.capabilities
        query: Query = found.query("invoice", filters=filters)
        if status is None:
            query = query.between(self._session.history_from, None)
        try:
            read = await self._reader.page(query, purpose="focused")
        except (stripe.PermissionError, stripe.InvalidRequestError) as error:
            if isinstance(error, stripe.PermissionError):
                await self._gives_less(than=found)
            log.warning("a customer's invoices cannot be read", error=type(error).__name__)
        else:
            await self._commit(read.seen)


class _Walk:
    """How far a call has got in this poll: pure bookkeeping over its pages."""

    def __init__(self, call: Call, cursor: Cursor, *, began: int) -> None:
        self.call = call
        self._began = began
        self.cursor = cursor
        self.query = call.query
        self.after = cursor.after_id if call.letter in SWEEPS else None
        self.token: str | None = None
        self.pages = 0
        self.done = False
        self._newest: int | None = None
        self._upto = cursor.at

    def advance(self, read: PageRead) -> None:
        self.pages += 1
        page = read.page
        for found in page.listed:
            at = {"D": found.facts.period_start, "E": found.facts.canceled_at}.get(
                self.call.letter, found.facts.created
            )
            if at is not None:
                self._newest = at if self._newest is None else max(self._newest, at)
        self._upto = self.cursor.at if self.call.letter in SWEEPS else None
        oldest = page.oldest
        self.done = oldest is None or not (page.has_more or page.next_page) or oldest.id == self.after
        if oldest is not None:
            self.after, self.token = oldest.id, page.next_page
            if self.query.search is None and self.call.letter in SWEEPS and oldest.facts.created is not None:
                self.cursor = replace(self.cursor, at=oldest.facts.created)

    @property
    def shown(self) -> Created:
        """The range of creation of which the page just read shows everything that its list has."""
        return Created(above=None if self.done else self.cursor.at, upto=self._upto)

    def cursor_now(self) -> Cursor | None:
        """The cursor to write with the page just read; None where it stays."""
        if self.call.letter in SWEEPS:
            return Cursor() if self.done else replace(self.cursor, after_id=self.after)
        if self.call.letter in HOT and self.done:
            return Cursor(at=advanced(self.call.letter, self.cursor.at, self._newest, began=self._began))
        return None
