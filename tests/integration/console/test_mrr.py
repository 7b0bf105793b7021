"""MRR of a day over the API: as it is known now, and as it was known at an instant."""

from typing import Any
from uuid import uuid4

from tests.integration.console.conftest import STRIPE_KEY, Company, RunningConsole

MOVEMENT = (
    "INSERT INTO mrr.movements (movement_id, workspace_id, connection_id, customer_id, currency, kind, effective_at,"
    " observed_at, mrr_before, mrr_after, corrects, subscriptions, basis, reconstructed, policy_version, detail,"
    " source_topic, source_partition, source_offset) VALUES (%s, %s, %s, 'cus_1', 'usd', %s, %s, %s, %s, %s, %s, '{}',"
    " 'subscription', false, 'stripe/1', '{}', 'stripe.subscription.raw.v1', 0, 0)"
)


def ask(console: RunningConsole, company: Company, **parameters: str) -> Any:
    answer = console.operator.client.get("/api/mrr", params={"workspace": company.workspace_id, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(console: RunningConsole, company: Company) -> str:
    """Connect, and let the ledger say 10.00 from the first of March, which on the tenth turns out to have been 7.00.

    What day it is, is the real clock's: mrr may have run here before, at another time.
    """
    console.rows("UPDATE mrr.clocks SET ahead = '0' RETURNING partition")
    company.browser.connect(STRIPE_KEY)
    connection_id = console.poller_says(company, "live", livemode=False)
    place, first = (company.workspace_id, connection_id), uuid4()
    began, late = "2026-03-01T12:00Z", "2026-03-10T12:00Z"
    console.rows(MOVEMENT, first, *place, "new", began, began, 0, 1000, None)
    console.rows(MOVEMENT, uuid4(), *place, "correction", began, late, 1000, 0, first)
    console.rows(MOVEMENT, uuid4(), *place, "new", began, late, 0, 700, None)
    return connection_id


def test_a_day_is_told_as_known_now_and_as_known_then(console: RunningConsole, company: Company) -> None:
    connection_id = told(console, company)
    now, then = ask(console, company, day="2026-03-03"), ask(console, company, day="2026-03-03", at="2026-03-05T00:00")
    row = {"connection_id": connection_id, "currency": "usd", "mrr": 700, "customers": 1, "reconstructed": False}
    assert now == {"workspace_id": company.workspace_id, "day": "2026-03-03", "known_at": None, "mrr": [row]}
    assert then["mrr"] == [{**row, "mrr": 1000}]
    assert then["known_at"] == "2026-03-05T00:00:00+00:00"
    assert ask(console, company, day="2026-02-27")["mrr"][0]["mrr"] == 0
    assert ask(console, company)["mrr"] == [row]
    assert ask(console, company, day="2026-03-03", at="2026-02-01T00:00Z")["mrr"] == []
    assert ask(console, company, day="2999-01-01")["mrr"] == []


def test_what_identify_tells_is_in_it(console: RunningConsole, company: Company) -> None:
    console.rows("UPDATE mrr.clocks SET ahead = '0' RETURNING partition")
    place, at = (company.workspace_id, company.workspace_id), "2026-03-01T12:00Z"
    console.rows(MOVEMENT, uuid4(), *place, "new", at, at, 0, 4900, None)
    row = {"connection_id": company.workspace_id, "currency": "usd", "mrr": 4900, "customers": 1}
    assert ask(console, company)["mrr"] == [{**row, "reconstructed": False}]
    assert ask(console, company, day="2026-03-03", at="2026-03-05T00:00Z")["mrr"][0]["mrr"] == 4900


def test_another_company_and_whoever_has_no_token_are_told_nothing(console: RunningConsole, company: Company) -> None:
    told(console, company)
    other = console.company()
    assert ask(console, other, day="2026-03-03")["mrr"] in (None, [])
    assert console.browser().get("/api/mrr?day=2026-03-03").status_code == 401


def test_what_is_no_day_is_refused_with_what_is_wrong(console: RunningConsole, company: Company) -> None:
    parameters = {"workspace": company.workspace_id, "day": "yesterday"}
    answer = console.operator.client.get("/api/mrr", params=parameters)
    assert answer.status_code == 422
    assert "day" in answer.text
