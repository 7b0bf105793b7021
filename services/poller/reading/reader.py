"""Reading one connection's account: pages of lists and searches, and single objects."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.poller.kinds import OBJECTS, Kind
from services.poller.publishing.changes import Reading, Seen
from services.poller.reading.calls import Answer, Caller
from services.poller.reading.capabilities import Capabilities
from services.poller.reading.pages import Page, ReadObject, read_object, read_page
from services.poller.reading.queries import Query, encode
from services.poller.reading.sdk import raise_for, read


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page, and the reading that showed it."""

    page: Page
    reading: Reading

    @property
    def seen(self) -> tuple[Seen, ...]:
        return tuple(Seen(found, self.reading) for found in self.page.objects)


@dataclass
class Reader:
    """Reads with one key. It keeps the key; nothing else of the poller holds it while it reads."""

    key: str
    caller: Caller
    capabilities: Capabilities

    async def page(self, query: Query, *, purpose: str, after: str | None = None, page: str | None = None) -> PageRead:
        """One page of a list or search; raises the SDK's exceptions, and UnreadableAnswer."""
        url = f"{self.caller.address.base}{query.path}?{encode(query.parameters(after=after, page=page))}"
        answer = await self.caller.fetch(url, {"Authorization": f"Bearer {self.key}"}, purpose=purpose)
        raise_for(answer)
        found = read_page(answer.body, query.kind, query.expand_in_list, self.capabilities.belonging)
        return PageRead(found, _reading(answer))

    async def single(self, kind: Kind, object_id: str, *, purpose: str) -> tuple[Seen, ...]:
        """One object read alone, and the neighbours it brought along."""
        expand = self.capabilities.expansions(kind)
        answer = await self.ask(f"{OBJECTS[kind].path}/{object_id}", {"expand": sorted(expand)}, purpose=purpose)
        return self.seen(answer, kind, expand)

    async def ask(self, path: str, parameters: Mapping[str, object], *, purpose: str) -> Answer:
        """Any other GET, through the SDK."""
        return await read(self.key, self.caller, path, parameters, purpose=purpose)

    def seen(self, answer: Answer, kind: Kind, expand: frozenset[str]) -> tuple[Seen, ...]:
        """The objects of an answer that is one object."""
        objects: tuple[ReadObject, ...] = read_object(answer.body, kind, expand, self.capabilities.belonging)
        return tuple(Seen(found, _reading(answer)) for found in objects)


def _reading(answer: Answer) -> Reading:
    return Reading(version=answer.version, closed=answer.closed, observed_at=answer.observed_at)
