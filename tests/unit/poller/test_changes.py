"""What reads change: each change published once, the latest state last, whatever the order and the repeats."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import raw_id
from services.poller.publishing.changes import Known, Outcome, Seen, fold
from services.poller.reading.pages import read_object
from tests.unit.poller import builders as make
from tests.unit.poller.builders import CONNECTION, seen


def apply(known: dict[str, Known], *reads: Seen, connected_at: int = 0) -> tuple[dict[str, Known], Outcome]:
    outcome = fold(known, reads, connection_id=CONNECTION, connected_at=connected_at)
    written = {row.object_id: row.known for row in outcome.changed} | dict(outcome.touched)
    return {**known, **written}, outcome


def test_the_first_read_of_an_object_is_published_with_its_bytes() -> None:
    read = seen("charge", make.charge(), 10)
    known, outcome = apply({}, read)
    (record,) = outcome.records
    assert (record.subject, record.version, record.value) == ("con_1/cus_1", 10, read.object.raw)
    assert record.id == raw_id(
        connection_id=CONNECTION, object_id="ch_1", fingerprint=read.object.fingerprint, previous_id=""
    )
    assert known["ch_1"].last_id == record.id


def test_reading_the_same_again_publishes_nothing_and_is_remembered() -> None:
    known, _ = apply({}, seen("charge", make.charge(), 10))
    known, outcome = apply(known, seen("charge", make.charge(receipt_url="https://other"), 20))
    assert outcome.records == ()
    assert (known["ch_1"].version, known["ch_1"].seen_version) == (10, 20)


def test_ids_form_a_chain_so_that_a_state_that_comes_back_is_another_record() -> None:
    states = [make.charge(status=status) for status in ("pending", "failed", "pending")]
    known: dict[str, Known] = {}
    ids: list[str] = []
    for version, state in enumerate(states, start=1):
        known, outcome = apply(known, seen("charge", state, version * 10))
        ids.extend(record.id for record in outcome.records)
    assert len(set(ids)) == 3


def test_a_page_that_is_read_again_after_a_crash_gives_the_same_ids() -> None:
    _, first = apply({}, seen("charge", make.charge(), 10))
    _, again = apply({}, seen("charge", make.charge(), 5000))
    assert [record.id for record in first.records] == [record.id for record in again.records]
    assert first.records[0].version < again.records[0].version


def test_the_change_says_whether_it_was_there_at_connect() -> None:
    old, new = make.charge(1, created=100), make.charge(2, created=101)
    _, outcome = apply({}, seen("charge", old, 1), seen("charge", new, 1), connected_at=100)
    assert [record.change for record in outcome.records] == ["backfilled", "created"]
    known, _ = apply({}, seen("charge", old, 1))
    _, outcome = apply(known, seen("charge", make.charge(1, status="failed"), 10))
    assert [record.change for record in outcome.records] == ["updated"]


def test_a_deletion_is_published_as_one() -> None:
    known, _ = apply({}, seen("customer", make.customer(), 1))
    _, outcome = apply(known, seen("customer", {"id": "cus_1", "object": "customer", "deleted": True}, 10))
    assert [(record.change, record.subject) for record in outcome.records] == [("deleted", "con_1/cus_1")]


def test_the_subject_is_fixed_by_the_first_record() -> None:
    known, _ = apply({}, seen("charge", make.charge(customer=None), 1))
    _, outcome = apply(known, seen("charge", make.charge(customer="cus_9"), 10))
    assert outcome.records[0].subject == "con_1/ch_1"


def test_an_object_that_was_not_read_whole_is_not_published() -> None:
    read = seen("invoice", make.invoice(), 1)
    partial = read_object(make.encode(make.invoice()), "invoice", frozenset())[0]
    _, outcome = apply({}, Seen(partial, read.reading))
    assert outcome.records == ()


def test_an_older_read_that_ended_before_is_dropped() -> None:
    known, _ = apply({}, seen("charge", make.charge(status="failed"), 20))
    _, outcome = apply(known, seen("charge", make.charge(status="pending"), 10))
    assert (outcome.records, outcome.disputed) == ((), ())


def test_an_unchanged_read_in_between_still_outdates_an_older_one() -> None:
    known, _ = apply({}, seen("charge", make.charge(), 10))
    known, _ = apply(known, seen("charge", make.charge(), 30))
    _, outcome = apply(known, seen("charge", make.charge(status="failed"), 20))
    assert outcome.records == ()


def test_two_overlapping_reads_that_differ_cause_a_third() -> None:
    known, _ = apply({}, seen("charge", make.charge(status="pending"), 10, closed=25))
    _, outcome = apply(known, seen("charge", make.charge(status="failed"), 20, closed=30))
    assert outcome.disputed == (("charge", "ch_1"),)
    known, _ = apply({}, seen("charge", make.charge(status="failed"), 20, closed=30))
    _, outcome = apply(known, seen("charge", make.charge(status="pending"), 10, closed=25))
    assert (outcome.records, outcome.disputed) == ((), (("charge", "ch_1"),))


def test_overlapping_reads_that_agree_need_no_third() -> None:
    known, _ = apply({}, seen("charge", make.charge(), 10, closed=25))
    _, outcome = apply(known, seen("charge", make.charge(), 20, closed=30))
    assert outcome.disputed == ()


def test_what_the_status_was_before_is_told() -> None:
    known, outcome = apply({}, seen("invoice", make.invoice(), 1))
    assert outcome.changed[0].was is None
    _, outcome = apply(known, seen("invoice", make.invoice(status="paid"), 10))
    assert outcome.changed[0].was == "open"


@dataclass(frozen=True)
class Read:
    """A read of one of two charges, which at that version was in one of three states."""

    number: int
    version: int
    state: str


READS = st.lists(
    st.builds(Read, st.integers(1, 2), st.integers(1, 30).map(lambda v: v * 10), st.sampled_from("abc")),
    unique_by=lambda read: (read.number, read.version),
    max_size=12,
)


@given(READS, st.data())
def test_any_grouping_of_reads_ends_with_the_latest_state_and_publishes_in_version_order(
    reads: list[Read], data: st.DataObject
) -> None:
    """Reads arrive in any order, in groups of any size; what was passed already is dropped, and the end is the same."""
    arriving = data.draw(st.permutations(reads))
    known: dict[str, Known] = {}
    published: list[tuple[str, int]] = []
    while arriving:
        size = data.draw(st.integers(1, len(arriving)))
        group, arriving = arriving[:size], arriving[size:]
        known, outcome = apply(
            known, *(seen("charge", make.charge(read.number, status=read.state), read.version) for read in group)
        )
        published.extend((record.object_id, record.version) for record in outcome.records)
    for number in {read.number for read in reads}:
        latest = max((read for read in reads if read.number == number), key=lambda read: read.version)
        expected = make.read("charge", make.charge(number, status=latest.state)).fingerprint
        assert known[f"ch_{number}"].fingerprint == expected
        assert known[f"ch_{number}"].seen_version == latest.version
        versions = [version for object_id, version in published if object_id == f"ch_{number}"]
        assert versions == sorted(set(versions))
