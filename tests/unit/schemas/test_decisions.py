"""The kinds of decisions: what each takes, and how it is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import InvalidDecision
from schemas.events.control import Decision
from schemas.events.decisions import KINDS, MrrPolicy, WorkspaceSettings, check_decision, read_detail
from schemas.events.mrr_policy import PRESETS, PolicyTerms, is_named_otherwise
from services.dunning import decisions as dunning

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
SAMPLES: dict[str, dict[str, Any]] = {
    "workspace.settings": {"name": "Acme", "timezone": "Europe/Berlin", "locale": "de", "color": "#00aa11"},
    "connection.made": {"livemode_claimed": True, "key_kind": "restricted"},
    "connection.ended": {"reason": "disconnected"},
    "signals.thresholds": {"history_days": 60},
    "mrr.policy": {"policy": {"version": "ours/2", "past_due_grace_days": 14}, "counts_from": "2026-03-01"},
    "identity.match": {"customer_id": "cus_1", "user_id": "u_1", "matched": False},
    "dunning.policy": {"days": [0, 2, 9], "first_hour": 8, "thresholds": {"usd": 500}},
    "dunning.sender": {"address": "billing@acme.example", "name": "Acme", "passed": True},
    "dunning.test_send": {"to": "founder@acme.example"},
    "dunning.text": {
        "variant": "retry",
        "tone": "first",
        "text": {"subject": "Hello from {company}", "preview": "", "body": "Please pay {total}.", "button": "Pay"},
    },
    "dunning.sending": {"mode": "shadow"},
    "dunning.allow_list": {"entries": ["@customers.example"]},
    "dunning.suppress": {"email": "ada@example.com"},
    "dunning.hold": {"customer_id": "cus_1"},
    "dunning.release": {"customer_id": "cus_1"},
    "dunning.stop": {"user_id": "u_1"},
    "dunning.start": {"customer_id": "cus_1"},
    "dunning.skip": {"customer_id": "cus_1"},
    "dunning.resend": {"customer_id": "cus_1", "episode_id": "e", "step": 2},
    "dunning.leave": {"customer_id": "cus_1", "episode_id": "e", "step": 1},
    "dunning.recorded": {"user_id": "u_1", "amount": 4900, "currency": "usd", "failed_at": "2026-03-01T09:00:00Z"},
    "dunning.settled": {"user_id": "u_1", "outcome": "void"},
}

RECORDED: dict[str, Any] = {"user_id": "u_1", "amount": 4900, "currency": "usd"}


def decision(kind: str, detail: dict[str, Any]) -> Decision:
    return Decision(
        decision_id="dec_1",
        workspace_id="ws_1",
        connection_id="con_1",
        kind=kind,
        detail=detail,
        decided_by="mem_1",
        decided_at=NOON,
        effective_at=NOON,
    )


def test_there_is_a_sample_of_every_kind() -> None:
    assert SAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_is_given_is_what_is_written(kind: str) -> None:
    written = check_decision(kind, SAMPLES[kind], connection_id="con_1")
    assert written == SAMPLES[kind]
    assert check_decision(kind, written, connection_id="con_1") == written


@pytest.mark.parametrize("kind", sorted(dunning.CONCERNING))
def test_dunning_reads_every_kind_that_concerns_it_as_the_contract_has_it(kind: str) -> None:
    ruling = dunning.ruling_of(decision(kind, SAMPLES[kind]))
    assert ruling is not None
    told = ruling.detail.model_dump(mode="json")
    assert {name: told[name] for name in SAMPLES[kind]} == SAMPLES[kind]


@pytest.mark.parametrize("kind", [name for name in KINDS if name.startswith("dunning.")])
def test_dunning_knows_every_kind_that_bears_its_name(kind: str) -> None:
    assert kind in dunning.CONCERNING


def _policy(version: str, **terms: object) -> dict[str, Any]:
    return {"policy": {"version": version, **terms}, "counts_from": "2026-03-01"}


def test_a_preset_as_it_is_can_be_decided() -> None:
    for preset in PRESETS:
        given = {"policy": preset.model_dump(mode="json"), "counts_from": "2026-03-01"}
        assert MrrPolicy.model_validate(check_decision("mrr.policy", given, connection_id=None)).policy == preset


def test_a_version_names_the_policy_that_it_was_first_given_to() -> None:
    first, other = PolicyTerms(version="ours/1"), PolicyTerms(version="ours/1", day_factor="30")
    assert is_named_otherwise(other, [first])
    assert is_named_otherwise(other, [first, other])
    assert not is_named_otherwise(first, [first, other])
    assert not is_named_otherwise(PolicyTerms(version="ours/2", day_factor="30"), [first])


@pytest.mark.parametrize(
    ("kind", "detail", "says"),
    [
        ("workspace.colour", {}, "there is no decision"),
        ("workspace.settings", {"time_zone": "Europe/Berlin"}, "has no time_zone; it has name, timezone"),
        ("workspace.settings", {"timezone": "Berlin"}, "no time zone"),
        ("workspace.settings", {"name": ""}, "name: "),
        ("signals.thresholds", {"history_days": -1}, "history_days: "),
        ("mrr.policy", {**SAMPLES["mrr.policy"], "counts_from": "0001-01-01"}, "counts_from: "),
        ("mrr.policy", {**SAMPLES["mrr.policy"], "counts_from": "9999-12-31"}, "counts_from: "),
        ("mrr.policy", _policy("stripe/1", day_factor="30"), "stripe is a preset, and this is another policy"),
        ("mrr.policy", _policy("profitwell/1"), "profitwell is a preset, and this is another policy"),
        ("dunning.policy", {"days": [3, 0]}, "rising order"),
        ("dunning.policy", {"first_hour": 18}, "before the last"),
        ("dunning.policy", {"thresholds": {"zzz": 5}}, "currency"),
        ("dunning.sender", {"address": "nobody"}, "address: "),
        ("dunning.sending", {"mode": "maybe"}, "mode: "),
        ("dunning.hold", {}, "names nobody"),
        ("dunning.recorded", {"user_id": "u", "amount": 0, "currency": "usd"}, "amount: "),
        ("dunning.recorded", RECORDED | {"email": "nonsense"}, "no email address"),
        ("dunning.recorded", RECORDED | {"email": "a@b.example\nBcc: c@d.example"}, "no email address"),
        ("dunning.recorded", RECORDED | {"pay_url": "javascript:alert(1)"}, "begins with https://"),
    ],
)
def test_what_no_decision_can_be_is_refused_with_the_reason(kind: str, detail: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDecision, match=says):
        check_decision(kind, detail, connection_id="con_1")


def test_a_null_is_something_left_out() -> None:
    given = {"timezone": None, "name": "Acme"}
    assert check_decision("workspace.settings", given, connection_id=None) == {"name": "Acme"}


def test_a_customer_is_named_with_its_connection() -> None:
    with pytest.raises(InvalidDecision, match="without its connection"):
        check_decision("dunning.hold", {"customer_id": "cus_1"}, connection_id=None)


def test_a_reader_ignores_what_a_later_writer_adds() -> None:
    read = read_detail("workspace.settings", {"timezone": "Asia/Tokyo", "motto": "onward"})
    assert read == WorkspaceSettings(timezone="Asia/Tokyo")
