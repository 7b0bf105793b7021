"""An object's history, from its records."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Change, Envelope, RawAttributes
from schemas.versions import pack_version
from services.poller.audit.explain import ABSENT, FieldChange, Line, call_of, differences, steps_of
from tests.unit.poller.builders import CONNECTION, NOON, invoice

EPOCH = int(NOON.timestamp() * 1000)


def line(content: dict[str, Any], *, sequence: int, offset: int, change: Change = "updated", name: str = "") -> Line:
    raw = RawAttributes(
        change=change,
        account="acct_1",
        livemode=False,
        observed_at=NOON,
        expanded=frozenset(),
        version=pack_version(epoch_ms=EPOCH, sequence=sequence),
    )
    envelope = Envelope(
        id=name or f"id-{sequence}",
        source="/stripe/acct_1",
        type="stripe.invoice.raw.v1",
        time=NOON,
        subject=f"{CONNECTION}/cus_1",
        workspace_id="ws_1",
        extra=raw.extra(),
    )
    return Line(3, offset, envelope.headers(), json.dumps(content).encode())


def test_each_record_says_what_changed_and_which_request_saw_it() -> None:
    failed = invoice(1, status="open", attempt_count=1, hosted_invoice_url="https://invoice.stripe.com/another")
    first, second = steps_of(
        "invoice",
        CONNECTION,
        [
            line(failed, sequence=9, offset=41),
            line(invoice(1, status="draft"), sequence=4, offset=40, change="backfilled"),
        ],
    )
    assert (first.change, first.offset, first.changes) == ("backfilled", 40, ())
    assert second.changes == (FieldChange("attempt_count", ABSENT, 1), FieldChange("status", "draft", "open"))
    assert (second.request, second.lease) == (9, datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert second.call_id == call_of(CONNECTION, pack_version(epoch_ms=EPOCH, sequence=9))


def test_a_record_that_was_published_twice_is_told_as_a_repeat() -> None:
    steps = steps_of(
        "invoice",
        CONNECTION,
        [line(invoice(1), sequence=4, offset=1, name="a"), line(invoice(1), sequence=8, offset=2, name="a")],
    )
    assert [step.repeat for step in steps] == [False, True]
    assert steps[1].changes == ()


def test_members_of_a_list_are_compared_by_their_ids() -> None:
    before = {"items": {"data": [{"id": "si_1", "quantity": 1}, {"id": "si_2", "quantity": 5}]}, "tags": ["a"]}
    after = {"items": {"data": [{"id": "si_2", "quantity": 5}, {"id": "si_1", "quantity": 2}]}, "tags": ["a", "b"]}
    assert list(differences(before, after)) == [
        FieldChange("items.data.si_1.quantity", 1, 2),
        FieldChange("tags.1", ABSENT, "b"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_what_is_the_same_has_no_differences(value: Any) -> None:
    assert list(differences(value, json.loads(json.dumps(value)))) == []


@given(JSON, JSON)
def test_differences_are_told_the_other_way_round_too(one: Any, other: Any) -> None:
    forth = [(change.path, change.before, change.after) for change in differences(one, other)]
    back = [(change.path, change.after, change.before) for change in differences(other, one)]
    assert forth == back
