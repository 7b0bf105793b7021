"""Keys, permissions, methods, limits, faults and the director's chair."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulator.api.keys import FIVE_READS
from simulator.api.limits import Limits, Rates
from simulator.app import ServerSettings, simulate
from simulator.company.periods import DAY
from simulator.errors import ApiError
from simulator.founding import scripted
from simulator.server import running

Account = Any
NAMES = ("customers", "subscriptions", "invoices", "charges", "payment_intents")


def test_no_key_is_a_401_that_asks_for_one(account: Account) -> None:
    answer = account.http.get("/v1/customers")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="Stripe"')
    assert "You did not provide an API key" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("revoked", "Invalid API Key provided: rk_test_", None),
        ("expired", "Expired API Key provided: rk_test_", "api_key_expired"),
        ("publishable", "publishable", "secret_key_required"),
    ],
)
def test_a_key_that_does_not_work_says_why(account: Account, name: str, message: str, code: str | None) -> None:
    status, error = account.refusal("customers", key=name)
    assert (status, error.get("code")) == (401, code)
    assert message in error["message"]
    assert account.simulator.keys.named(name).secret not in error["message"]


def test_a_key_works_as_the_user_of_basic_authentication(account: Account) -> None:
    secret = account.simulator.keys.named("full").secret
    assert account.http.get("/v1/customers", auth=(secret, "")).status_code == 200


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("disputes", "dispute_read"),
        ("events", "event_read"),
        ("account", "connected_account_read"),
        ("balance", "balance_read"),
        ("coupons/FRIENDS20", "coupon_read"),
        ("products", "product_read"),
        ("prices", "plan_read"),
        ("payment_methods", "payment_method_read"),
    ],
)
def test_what_the_five_reads_cannot_see_is_refused_by_permission(account: Account, path: str, permission: str) -> None:
    status, error = account.refusal(path, key="full")
    assert (status, error["code"]) == (403, "more_permissions_required")
    assert f"'rak_{permission}'" in error["message"]
    assert f"on account '{account.simulator.company.ids.account}'" in error["message"]


def test_every_read_is_refused_to_a_key_that_lacks_it(account: Account) -> None:
    assert account.get("customers", key="customers_only")["data"]
    for name in ("subscriptions", "invoices", "charges", "payment_intents"):
        assert account.refusal(name, key="customers_only")[0] == 403
        assert account.refusal(f"{name}/search", key="customers_only", query="created>0")[0] == 403
    assert account.refusal("payment_intents", key="no_charges", **{"expand[]": "data.latest_charge"})[0] == 403


def test_the_keys_mode_is_the_mode_of_every_object(account: Account) -> None:
    for key, live in (("full", False), ("live", True)):
        rows = account.get("invoices", key=key, **{"expand[]": "data.customer"})["data"]
        assert {row["livemode"] for row in rows} == {live}
        assert {row["customer"].get("livemode", live) for row in rows} == {live}


def test_answers_carry_a_request_id_and_the_version_they_speak(account: Account) -> None:
    first, second = (account.ask("customers", version="2026-08-26.dahlia") for _ in range(2))
    assert first.headers["request-id"].startswith("req_")
    assert first.headers["request-id"] != second.headers["request-id"]
    assert first.headers["stripe-version"] == "2026-08-26.dahlia"
    assert account.ask("customers").headers["stripe-version"] == "2025-08-27.basil"
    assert account.refusal("customers", version="newest")[0] == 400


@pytest.mark.parametrize("path", ["customers/cus_nobody", "invoices/in_1", "charges/ch_x", "subscriptions/cus_1"])
def test_an_unknown_object_is_missing(account: Account, path: str) -> None:
    status, error = account.refusal(path)
    assert (status, error["code"]) == (404, "resource_missing")
    assert error["message"].startswith("No such ")


@pytest.mark.parametrize("path", ["nonsense", "customers/cus_1/nonsense", "invoices/in_1/lines/more"])
def test_an_unknown_address_is_not_recognised(account: Account, path: str) -> None:
    status, error = account.refusal(path)
    assert (status, error["message"][:24]) == (404, "Unrecognized request URL")


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_whatever_is_not_a_get_is_refused_and_counted(fresh: Callable[..., Account], method: str) -> None:
    account = fresh()
    answer = account.http.request(method, "/v1/customers", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (405, "invalid_request_error")
    assert account.http.get("/_stats").json()["refused_methods"] == {method: 1}


def test_below_a_prefix_everything_is_the_same(fresh: Callable[..., Account]) -> None:
    account = fresh(prefix="/stripe/eu")
    secret = account.simulator.keys.named("full").secret
    assert account.http.get("/stripe/eu/v1/customers", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert account.http.get("/v1/customers").status_code == 404
    assert account.http.get("/stripe/eu/_stats").status_code == account.http.get("/_stats").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [
        ("500", 500, None),
        ("503", 503, None),
        ("401", 401, None),
        ("429", 429, "stripe-rate-limited-reason"),
        ("lock", 429, "stripe-should-retry"),
    ],
)
def test_faults_come_as_ordered_and_stop(
    fresh: Callable[..., Account], kind: str, status: int, header: str | None
) -> None:
    account = fresh()
    account.http.post("/_faults", json={"faults": [{"kind": kind, "path": "charges", "times": 2}]})
    assert account.ask("customers").status_code == 200
    for _ in range(2):
        answer = account.ask("charges")
        assert answer.status_code == status
        assert header is None or header in answer.headers
    assert account.ask("charges").status_code == 200


def test_a_fault_may_be_an_answer_that_is_not_stripes(fresh: Callable[..., Account]) -> None:
    account = fresh()
    account.http.post("/_faults", json={"faults": [{"kind": "html"}]})
    answer = account.ask("customers")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    account.http.delete("/_faults")
    assert account.get("customers")["object"] == "list"


@pytest.mark.parametrize(("mode", "status"), [("forbidden", 403), ("missing", 404)])
def test_a_server_may_lack_search_or_an_expansion(fresh: Callable[..., Account], mode: str, status: int) -> None:
    account = fresh()
    account.http.post("/_faults", json={"search": mode, "refuse_expand": ["data.discounts"]})
    assert account.refusal("customers/search", query="created>0")[0] == status
    assert account.refusal("subscriptions", **{"expand[]": "data.discounts"})[0] == 400
    assert account.get("subscriptions", **{"expand[]": "data.customer"})


def test_an_order_that_is_no_fault_is_refused(fresh: Callable[..., Account]) -> None:
    account = fresh()
    for body in ({"faults": [{"kind": "earthquake"}]}, {"search": "sometimes"}, [1]):
        assert account.http.post("/_faults", json=body).status_code == 400
    assert account.http.post("/_faults", content=b"{").status_code == 400


def test_keys_are_minted_and_revoked_while_it_runs(fresh: Callable[..., Account]) -> None:
    account = fresh()
    minted = account.http.post("/_keys", json={"mint": "prices", "permissions": [*FIVE_READS, "plan_read"]}).json()
    headers = {"Authorization": f"Bearer {minted['secret']}"}
    assert account.http.get("/v1/customers", headers=headers).status_code == 200
    account.http.post("/_keys", json={"revoke": "prices"})
    assert account.http.get("/v1/customers", headers=headers).status_code == 401
    account.http.post("/_keys", json={"restore": minted["secret"]})
    assert account.http.get("/v1/customers", headers=headers).status_code == 200
    assert account.http.post("/_keys", json={"revoke": "nobody"}).status_code == 400


def test_the_tiers_of_a_price_need_a_permission_and_are_then_there(fresh: Callable[..., Account]) -> None:
    account = fresh()
    world = account.simulator.company.world
    sold = next(s for s in world.subscriptions.newest(0, len(world.subscriptions)) if s.items[0].plan.tiers)
    path = f"subscriptions/{account.simulator.company.ids.encode('subscription', sold.number)}"
    assert account.refusal(path, **{"expand[]": "items.data.price.tiers"})[0] == 403
    account.simulator.keys.mint("prices", permissions=FIVE_READS | {"plan_read"})
    found = account.get(path, key="prices", **{"expand[]": "items.data.price.tiers"})
    assert [tier["unit_amount"] for tier in found["items"]["data"][0]["price"]["tiers"]]


def test_the_clock_is_moved_and_the_company_lives_on(fresh: Callable[..., Account]) -> None:
    account = fresh()
    before = account.http.get("/_clock").json()
    after = account.http.post("/_clock", json={"advance": 5 * DAY}).json()
    assert after["now"] == before["now"] + 5 * DAY
    assert after["next_event_at"] > after["now"]
    newest = account.get("charges", limit=1)["data"][0]
    assert before["now"] < newest["created"] <= after["now"]
    assert account.http.post("/_clock", json={"to": before["now"]}).json()["now"] == after["now"]
    assert account.http.post("/_clock", json={"to": "2027-01-01T00:00:00Z"}).json()["now"] == 1_798_761_600
    assert account.http.post("/_clock", json={"to": "soon"}).status_code == 400


def test_the_truth_counts_what_the_api_shows(account: Account) -> None:
    truth = account.http.get("/_truth").json()
    assert truth["customers"] == len(account.every("customers"))
    failing = {bill["customer"] for bill in account.every("invoices", status="open") if bill["attempt_count"] > 0}
    recent = {
        name
        for name, bills in truth["failed_payments"]["customers"].items()
        if any(not b["resolved_at"] for b in bills)
    }
    assert recent <= failing
    ended = account.every("subscriptions", status="ended")
    window = truth["at"] - 30 * DAY
    lapsed = {row["customer"] for row in ended if row["status"] == "canceled" and row["ended_at"] > window}
    told = truth["lapsed_subscriptions"]["customers"]
    assert {name for name, each in told.items() if any(e["status"] == "canceled" for e in each)} <= lapsed


def test_the_truth_of_yesterday_is_asked_today(fresh: Callable[..., Account]) -> None:
    account = fresh()
    now = account.simulator.company.world.now
    then = account.http.get("/_truth").json()
    account.http.post("/_clock", json={"advance": 20 * DAY})
    again = account.http.get("/_truth", params={"at": now}).json()
    for part in ("customers", "mrr", "failed_payments", "lapsed_subscriptions", "signals", "mrr_by_customer"):
        assert again[part] == then[part], part
    assert account.http.get("/_truth", params={"at": "noon"}).status_code == 400


def test_a_seconds_worth_of_requests_is_let_through_and_the_next_refused() -> None:
    now = [100.0]
    limits = Limits(Rates(test=30, endpoint=5, search=3), clock=lambda: now[0])
    for _ in range(5):
        limits.admit("customers.list", live=False, search=False)
    with pytest.raises(ApiError) as refused:
        limits.admit("customers.list", live=False, search=False)
    assert refused.value.headers == {"Stripe-Rate-Limited-Reason": "endpoint-rate"}
    limits.admit("customers.list", live=True, search=False)
    limits.admit("invoices.list", live=False, search=False)
    now[0] += 0.2
    limits.admit("customers.list", live=False, search=False)
    assert limits.violations == {"endpoint-rate": 1}


def test_all_searches_share_one_bucket_and_everything_another() -> None:
    limits = Limits(Rates(test=10, endpoint=25, search=3), clock=lambda: 0.0)
    for name in ("customers", "invoices", "charges"):
        limits.admit(f"{name}.search", live=False, search=True)
    with pytest.raises(ApiError):
        limits.admit("subscriptions.search", live=False, search=True)
    for place in range(6):
        limits.admit(f"{place}.list", live=False, search=False)
    with pytest.raises(ApiError) as refused:
        limits.admit("last.list", live=False, search=False)
    assert refused.value.headers == {"Stripe-Rate-Limited-Reason": "global-rate"}


def test_limits_that_are_not_enforced_are_still_counted() -> None:
    limits = Limits(Rates(test=1, enforced=False), clock=lambda: 0.0)
    for _ in range(3):
        limits.admit("customers.list", live=False, search=False)
    assert limits.violations == {"global-rate": 2}


def test_a_company_that_nobody_knows_yet_is_empty() -> None:
    company, _ = scripted(now=1_795_500_000)
    simulator = simulate(company, settings=ServerSettings())
    headers = {"Authorization": f"Bearer {simulator.keys.named('full').secret}"}
    with running(simulator) as address, httpx.Client(base_url=address) as http:
        answers = {name: http.get(f"/v1/{name}", headers=headers).json() for name in NAMES}
        truth = http.get("/_truth").json()
    empty = {"object": "list", "data": [], "has_more": False}
    assert answers == {name: {**empty, "url": f"/v1/{name}"} for name in NAMES}
    assert truth["mrr"] == {}
