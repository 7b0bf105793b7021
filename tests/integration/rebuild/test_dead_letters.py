"""A poisoned record: seen, mended, sent back, and part of every rebuild."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cli.errors import FAILED, NOT_RUNNING, USAGE, CommandError
from schemas.catalogue import STRIPE_CUSTOMER_RAW, dead_letter_topic
from tests.fixtures.counting import eventually
from tests.integration.rebuild.conftest import Account, Rebuilt

KEY = b"rk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc"


def test_a_poisoned_record_is_listed_shown_mended_and_applied_once(
    run_service: Callable[[str], Rebuilt], account: Account, tmp_path: Path
) -> None:
    service = run_service("mirror")
    customers = [one for one in account.observer.look() if one.topic == STRIPE_CUSTOMER_RAW.name]
    victim, hopeless = customers[0], customers[1]
    poison = b'{"half": "' + KEY
    service.consumer.produce([replace(victim, value=poison), replace(hopeless, value=b"\x00"), *customers[2:]])
    service.consumer.settle()
    eventually("both are published", lambda: len(service.consumer.published(dead_letter_topic("mirror"))) == 2)

    waiting = {letter["place"]: letter for letter in json.loads(_ok(service, "list", "mirror", "--json"))}
    assert len(waiting) == 2
    assert {letter["state"] for letter in waiting.values()} == {"waiting"}
    shown = {place: json.loads(_ok(service, "show", "mirror", place, "--json")) for place in waiting}
    place = next(place for place in shown if shown[place]["value"].startswith('{"half'))
    other = next(iter(set(waiting) - {place}))
    assert place in _ok(service, "list", "mirror")
    assert KEY.decode() not in json.dumps(shown)
    assert shown[place]["reason"]
    assert shown[place]["headers"]["ce_id"] == victim.id

    mended = tmp_path / "value"
    mended.write_bytes(victim.value or b"")
    assert "1 sent back" in _told(service, "replay", "mirror", place, "--mended", str(mended))
    assert "0 sent back" in _told(service, "replay", "mirror", place, "--mended", str(mended))
    rows = "SELECT count(*) FROM customers WHERE version = %s AND source_topic = %s"
    version = int(victim.envelope.extra["objectversion"])
    eventually("it is applied", lambda: service.consumer.rows(rows, version, victim.topic) == [(1,)])

    _told(service, "drop", "mirror", other, "--why", "deleted at Stripe", "--by", "ada")
    assert json.loads(_ok(service, "list", "mirror", "--json")) == []
    states = {letter["place"]: letter for letter in json.loads(_ok(service, "list", "mirror", "--all", "--json"))}
    assert (states[place]["state"], states[other]["state"]) == ("replayed", "dropped")
    assert (states[other]["decided_by"], states[other]["why"]) == ("ada", "deleted at Stripe")
    assert "0 sent back" in _told(service, "replay", "mirror", "--all")

    service.rebuild.make()
    service.rebuild.catch_up()
    assert all(result.different == 0 for result in service.rebuild.verify())


def test_a_letter_replayed_as_it_was_comes_back_and_waits_again(
    run_service: Callable[[str], Rebuilt], account: Account
) -> None:
    service = run_service("mirror")
    victim = next(one for one in account.observer.look() if one.topic == STRIPE_CUSTOMER_RAW.name)
    service.consumer.produce([replace(victim, value=b"nonsense")])
    service.consumer.settle()
    (before,) = json.loads(_ok(service, "list", "mirror", "--json"))
    eventually("it is published", lambda: len(service.consumer.published(dead_letter_topic("mirror"))) == 1)
    assert "1 sent back" in _told(service, "replay", "mirror", "--all")
    eventually("it is back", lambda: len(service.consumer.published(dead_letter_topic("mirror"))) == 2)
    (after,) = json.loads(_ok(service, "list", "mirror", "--json"))
    assert after["place"] == before["place"]
    assert after["rejected_at"] > before["rejected_at"]


def test_what_is_not_there_is_answered_with_what_to_do(run_service: Callable[[str], Rebuilt]) -> None:
    service = run_service("mirror")
    for arguments, code, remedy in (
        (("list", "nobody"), USAGE, "mirror, mrr"),
        (("replay", "mirror"), USAGE, "--all"),
        (("show", "mirror", "stripe.customer.raw.v1/0/7"), NOT_RUNNING, "dropfix dlq list"),
        (("list", "console"), FAILED, "dropfix migrate"),
    ):
        error = service.dlq(*arguments).exception
        assert isinstance(error, CommandError)
        assert (error.code, remedy in error.remedy) == (code, True)


def _ok(service: Rebuilt, *arguments: str) -> str:
    answer = service.dlq(*arguments)
    assert answer.exit_code == 0, answer.exception
    return answer.stdout


def _told(service: Rebuilt, *arguments: str) -> str:
    answer = service.dlq(*arguments)
    assert answer.exit_code == 0, answer.exception
    return answer.stderr
