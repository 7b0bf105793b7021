"""Reading records: what is a fact, and what goes to the dead letters with a reason."""

import json
from dataclasses import replace

import msgspec
import pytest

from pipeline.errors import BadRecord
from pipeline.records import Record
from services.detector.core import SubjectState
from services.detector.in_force import InForce
from services.detector.processor import RAW_INPUTS, DetectorCore, decode
from simulator.company.life import Growth
from simulator.founding import found
from tests.accounts import Observer

NOW = 1_790_000_000
ODD: tuple[object, ...] = (None, [], {}, "text\0", 10**30, -1.5, True)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    company = found(seed=4, now=NOW, growth=Growth(customers=80))
    names = {topic.name for topic in RAW_INPUTS}
    return [record for record in Observer(company).look() if record.topic in names]


@pytest.fixture
def charge(records: list[Record]) -> Record:
    return next(record for record in records if record.topic == "stripe.charge.raw.v1")


def without(record: Record, name: str) -> Record:
    return replace(record, headers=tuple(pair for pair in record.headers if pair[0] != name))


def changed(record: Record, name: str, value: bytes) -> Record:
    return replace(record, headers=(*without(record, name).headers, (name, value)))


def test_every_record_of_an_account_is_a_fact_of_its_customer(records: list[Record]) -> None:
    for record in records:
        assert decode(record).customer_id == record.subject.partition("/")[2]


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b'{"object": "charge"}', b'{"id": 7}', b"\xff\xfe"])
def test_a_value_that_is_no_object_with_an_id_is_a_bad_record(charge: Record, value: bytes) -> None:
    with pytest.raises(BadRecord, match="the charge cannot be read"):
        decode(replace(charge, value=value))


@pytest.mark.parametrize("name", ["ce_id", "ce_objectversion", "ce_observedat", "ce_workspaceid", "ce_livemode"])
def test_a_header_that_is_missing_is_named(charge: Record, name: str) -> None:
    with pytest.raises(BadRecord, match=name):
        decode(without(charge, name))


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce_objectversion", b"seven"), ("ce_objectversion", b"9" * 30), ("ce_observedat", b"yesterday")],
)
def test_a_header_that_is_malformed_is_a_bad_record(charge: Record, name: str, value: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(changed(charge, name, value))


def test_odd_values_of_fields_stop_nothing_and_can_be_kept(records: list[Record]) -> None:
    core = DetectorCore()
    for record in records[:400]:
        obj = json.loads(record.value or b"")
        for odd in ODD:
            strange = dict.fromkeys(obj, odd) | {"id": obj["id"]}
            try:
                fact = decode(replace(record, value=json.dumps(strange).encode()))
            except (BadRecord, ValueError, OverflowError):
                continue
            state = core.merge(core.empty(record.subject), fact)
            effects = core.decide(state, InForce(), record.observed_at)
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(effects.state), type=SubjectState) == effects.state


def test_a_state_survives_being_written_and_read(records: list[Record]) -> None:
    core = DetectorCore()
    states: dict[str, SubjectState] = {}
    for record in records:
        merged = core.merge(states.get(record.subject, core.empty(record.subject)), decode(record))
        states[record.subject] = core.decide(merged, InForce(), record.observed_at).state
    for state in states.values():
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=SubjectState) == state
    assert any(state.signals for state in states.values())
