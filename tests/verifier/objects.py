"""The raw topics replayed: what each object of Stripe last was, and what must hold of its records.

version            of two records of one object the higher one counts; one version is one observation
id                 uuid5 of connection, object, fingerprint and the id of the record before: a chain
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from tests.verifier.log import Entry

NAMESPACE = UUID("6f1b7d8e-6d0a-5d0e-9a0e-0f7c1c0d9b52")
CHILDREN = ("customer", "invoice", "latest_charge", "latest_invoice", "payment_intent", "charge", "subscription")
"""Fields that a read may have expanded into an object that has a topic of its own."""


@dataclass
class Observed:
    """One object of one connection, with every record of it."""

    connection_id: str
    object_id: str
    records: list[Entry] = field(default_factory=list)

    @property
    def latest(self) -> Entry:
        return max(self.records, key=version_of)

    @property
    def gone(self) -> bool:
        return is_gone(self.latest)

    @property
    def content(self) -> Any:
        """What it last was while it was there; None where only its end is known."""
        there = [record for record in self.records if not is_gone(record)]
        return max(there, key=version_of).content if there else None

    def places_of_latest(self) -> set[tuple[int, int]]:
        """(partition, offset) of every record of the newest version: it may have been published twice."""
        newest = version_of(self.latest)
        return {(one.partition, one.offset) for one in self.records if version_of(one) == newest}


def version_of(record: Entry) -> int:
    return int(record.header("ce_objectversion"))


def is_gone(record: Entry) -> bool:
    return record.header("ce_change") == "deleted" or record.content.get("deleted") is True


def replay(records: Iterable[Entry]) -> dict[tuple[str, str, str], Observed]:
    """By topic, connection and object."""
    found: dict[tuple[str, str, str], Observed] = {}
    for record in records:
        connection_id, object_id = record.header("ce_connectionid"), record.header("ce_subject")
        place = (record.topic, connection_id, object_id)
        found.setdefault(place, Observed(connection_id, object_id)).records.append(record)
    return found


def wrong_records(objects: Iterable[Observed]) -> Iterator[str]:
    """Records that contradict one another."""
    for one in objects:
        by_version: dict[int, Entry] = {}
        by_id: dict[str, Entry] = {}
        for record in one.records:
            same = by_version.setdefault(version_of(record), record)
            if (same.key, same.value, same.headers) != (record.key, record.value, record.headers):
                yield f"{record.place} and {same.place} are one version of {one.object_id} and differ"
            said = by_id.setdefault(record.id, record)
            if _lasting(said.content) != _lasting(record.content):
                yield f"{record.place} and {said.place} have one id and say different things of {one.object_id}"


def broken_chains(objects: Iterable[Observed], memory: dict[tuple[str, str], tuple[str, int, str]]) -> Iterator[str]:
    """Objects whose newest record is not what the poller remembers, or does not follow from one before.

    `memory`: by connection and object the fingerprint, version and id that the poller keeps.
    """
    for one in objects:
        known = memory.get((one.connection_id, one.object_id))
        if known is None:
            yield f"{one.object_id} was published and is not remembered"
            continue
        fingerprint, version, last_id = known
        newest = [record for record in one.records if version_of(record) == version_of(one.latest)][-1]
        if (version, last_id) != (version_of(newest), newest.id):
            yield f"{one.object_id} is remembered as {last_id}@{version}; its newest record is {newest.place}"
        before = {"", *(record.id for record in one.records)}
        if last_id not in {chained(one.connection_id, one.object_id, fingerprint, previous) for previous in before}:
            yield f"the id of {newest.place} follows from no record of {one.object_id} before it"


def chained(connection_id: str, object_id: str, fingerprint: str, previous_id: str) -> str:
    return str(uuid5(NAMESPACE, "\x1f".join(("raw", connection_id, object_id, fingerprint, previous_id))))


def _lasting(value: Any, name: str = "") -> Any:
    """Without what differs between two reads of an unchanged object: links, and how deep neighbours were read."""
    if isinstance(value, dict):
        if name in CHILDREN and isinstance(value.get("id"), str):
            return value["id"]
        return {key: _lasting(child, key) for key, child in value.items() if not _is_link(child)}
    if isinstance(value, list):
        return [_lasting(child) for child in value]
    return value


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))
