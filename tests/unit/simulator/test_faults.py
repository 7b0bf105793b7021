"""Faults on request: each kind, whom it befalls, and how often."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulator.api.faults import Faults

Account = Any


def order(account: Account, *faults: dict[str, Any], **more: Any) -> None:
    answer = account.http.post("/_faults", json={"faults": list(faults), **more})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("fault", "status", "header"),
    [
        ({"kind": "400"}, 400, {}),
        ({"kind": "403"}, 403, {}),
        ({"kind": "404"}, 404, {}),
        ({"kind": "409"}, 409, {}),
        ({"kind": "429", "reason": "resource-specific"}, 429, {"stripe-rate-limited-reason": "resource-specific"}),
        (
            {"kind": "429", "reason": "endpoint-concurrency"},
            429,
            {"stripe-rate-limited-reason": "endpoint-concurrency"},
        ),
        ({"kind": "lock"}, 429, {"stripe-should-retry": "true"}),
        ({"kind": "ip"}, 401, {}),
        ({"kind": "502"}, 502, {}),
        ({"kind": "504"}, 504, {}),
        (
            {"kind": "redirect", "location": "https://elsewhere.example/"},
            302,
            {"location": "https://elsewhere.example/"},
        ),
    ],
)
def test_each_status_comes_with_what_stripe_says_beside_it(
    fresh: Callable[..., Account], fault: dict[str, Any], status: int, header: dict[str, str]
) -> None:
    account = fresh()
    order(account, {**fault, "times": 1})
    answer = account.ask("customers")
    assert answer.status_code == status
    assert header.items() <= answer.headers.items()
    assert account.ask("customers").status_code == 200


def test_a_missing_permission_is_named_as_stripe_names_it(fresh: Callable[..., Account]) -> None:
    account = fresh()
    order(account, {"kind": "403", "operation": "charges.list"})
    assert "rak_charge_read" in account.refusal("charges")[1]["message"]
    assert account.get("customers")["data"]


@pytest.mark.parametrize("kind", ["empty", "garbage", "html"])
def test_an_answer_may_be_no_json(fresh: Callable[..., Account], kind: str) -> None:
    account = fresh()
    order(account, {"kind": kind})
    with pytest.raises(json.JSONDecodeError):
        account.ask("customers").json()


def test_an_answer_may_be_late_or_never_come(fresh: Callable[..., Account]) -> None:
    account = fresh()
    order(account, {"kind": "slow", "seconds": 0.05, "times": 1}, {"kind": "hang", "seconds": 30})
    assert account.get("customers")["data"]
    with pytest.raises(httpx.ReadTimeout):
        account.http.get(
            "/v1/customers",
            headers={"Authorization": f"Bearer {account.simulator.keys.named('full').secret}"},
            timeout=0.2,
        )


def test_a_fault_passes_some_hits_some_and_stops() -> None:
    faults = Faults()
    faults.replace({"faults": [{"kind": "500", "path": "charges", "skip": 2, "times": 3}]})
    hits = [faults.next("/v1/charges") is not None for _ in range(7)]
    assert hits == [False, False, True, True, True, False, False]
    assert faults.next("/v1/customers") is None


def test_a_fault_with_a_probability_hits_as_often_and_is_the_same_for_the_same_seed() -> None:
    def hits(seed: int) -> list[bool]:
        faults = Faults()
        faults.replace({"seed": seed, "faults": [{"kind": "503", "probability": 0.25}]})
        return [faults.next("/v1/charges") is not None for _ in range(2000)]

    assert hits(1) == hits(1) != hits(2)
    assert 400 < sum(hits(1)) < 600


@pytest.mark.parametrize(
    "fault", [{"kind": "500", "colour": "red"}, {"kind": "429", "reason": "mood"}, {}, {"kind": "teapot"}]
)
def test_what_is_no_fault_is_refused(fresh: Callable[..., Account], fault: dict[str, Any]) -> None:
    assert fresh().http.post("/_faults", json={"faults": [fault]}).status_code == 400


def test_an_expansion_may_be_lost_without_a_word(fresh: Callable[..., Account]) -> None:
    account = fresh()
    order(account, lose_expand=["data.customer"])
    [row] = account.get("subscriptions", limit=1, **{"expand[]": ["data.customer", "data.latest_invoice"]})["data"]
    assert isinstance(row["customer"], str)
    assert isinstance(row["latest_invoice"], dict)


def test_search_falls_behind_and_never_goes_back(fresh: Callable[..., Account]) -> None:
    account = fresh()
    count = {"query": "created>0", "expand[]": "total_count", "limit": 1}
    account.http.post("/_clock", json={"advance": 60})
    before = account.get("customers/search", **count)["total_count"]
    order(account, search_lag=3600)
    for _ in range(3):
        account.http.post("/_act", json={"do": "create_customer"})
    account.http.post("/_clock", json={"advance": 600})
    assert account.get("customers/search", **count)["total_count"] == before
    account.http.delete("/_faults")
    assert account.get("customers/search", **count)["total_count"] >= before + 3


def test_a_status_is_searched_as_the_index_believes_it_and_shown_as_it_is(fresh: Callable[..., Account]) -> None:
    account = fresh()
    row = next(row for row in account.every("subscriptions", status="active") if row["cancel_at"] is None)
    order(account, search_lag=3600)
    account.http.post("/_act", json={"do": "cancel", "subscription": row["id"]})
    account.http.post("/_clock", json={"advance": 60})
    window = f'status:"active" AND created>={row["created"]} AND created<={row["created"]}'
    found = {each["id"]: each["status"] for each in account.get("subscriptions/search", query=window)["data"]}
    assert found[row["id"]] == "canceled"


def test_a_page_changes_under_the_paging(fresh: Callable[..., Account]) -> None:
    account = fresh()
    first = account.get("customers", limit=10)["data"]
    order(account, {"kind": "act", "act": {"do": "create_customer"}, "operation": "customers.list", "times": 1})
    assert account.get("customers", limit=1)["data"][0]["id"] != first[0]["id"]
    order(account, {"kind": "delete_cursor", "times": 1})
    status, error = account.refusal("customers", limit=10, starting_after=first[-1]["id"])
    assert (status, error["code"]) == (400, "resource_missing")
    again = account.get("customers", limit=20)["data"]
    assert first[-1]["id"] not in {row["id"] for row in again}
