"""Lists: order, paging, filters and expansion, against the same thing reckoned from the whole list."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

RESOURCES = ("customers", "subscriptions", "invoices", "charges", "payment_intents", "disputes")
Account = Any


@pytest.fixture(scope="package")
def whole(account: Account) -> dict[str, list[dict[str, Any]]]:
    """Every list, read once."""
    everything = {"subscriptions": {"status": "all"}}
    return {name: account.every(name, **everything.get(name, {})) for name in RESOURCES}


@pytest.mark.parametrize("name", RESOURCES)
def test_a_list_is_newest_first_and_names_nothing_twice(whole: dict[str, Any], name: str) -> None:
    rows = whole[name]
    assert [row["created"] for row in rows] == sorted((row["created"] for row in rows), reverse=True)
    assert len({row["id"] for row in rows}) == len(rows) > 1


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_of_any_size_add_up_to_the_whole(account: Account, whole: dict[str, Any], limit: int) -> None:
    rows = account.every("disputes" if limit == 1 else "charges", limit=limit)
    assert [row["id"] for row in rows] == [row["id"] for row in whole["disputes" if limit == 1 else "charges"]]


def test_the_last_page_says_that_there_is_no_more(account: Account, whole: dict[str, Any]) -> None:
    rows = whole["customers"]
    page = account.get("customers", limit=10, starting_after=rows[-11]["id"])
    assert (len(page["data"]), page["has_more"]) == (10, False)
    page = account.get("customers", limit=10, starting_after=rows[-12]["id"])
    assert (len(page["data"]), page["has_more"]) == (10, True)


def test_ending_before_gives_the_page_just_before(account: Account, whole: dict[str, Any]) -> None:
    rows = whole["invoices"]
    page = account.get("invoices", limit=5, ending_before=rows[20]["id"])
    assert [row["id"] for row in page["data"]] == [row["id"] for row in rows[15:20]]
    assert page["has_more"]
    page = account.get("invoices", limit=50, ending_before=rows[20]["id"])
    assert [row["id"] for row in page["data"]] == [row["id"] for row in rows[:20]]
    assert not page["has_more"]


@pytest.mark.parametrize("name", RESOURCES)
@pytest.mark.parametrize("bound", ["gt", "gte", "lt", "lte"])
def test_created_bounds_are_exact(account: Account, whole: dict[str, Any], name: str, bound: str) -> None:
    rows = whole[name]
    middle = rows[len(rows) // 2]["created"]
    holds = {"gt": middle.__lt__, "gte": middle.__le__, "lt": middle.__gt__, "lte": middle.__ge__}[bound]
    extra = {"status": "all"} if name == "subscriptions" else {}
    found = account.every(name, **extra, **{f"created[{bound}]": middle})
    assert [row["id"] for row in found] == [row["id"] for row in rows if holds(row["created"])]


@pytest.mark.parametrize("status", ["draft", "open", "paid", "uncollectible", "void"])
def test_invoices_by_status(account: Account, whole: dict[str, Any], status: str) -> None:
    found = account.every("invoices", status=status)
    assert [row["id"] for row in found] == [row["id"] for row in whole["invoices"] if row["status"] == status]


@pytest.mark.parametrize("status", [None, "active", "past_due", "canceled", "trialing", "ended", "incomplete_expired"])
def test_subscriptions_by_status(account: Account, whole: dict[str, Any], status: str | None) -> None:
    wanted = {status}
    if status == "ended":
        wanted = {"canceled", "incomplete_expired"}
    found = account.every("subscriptions", **({} if status is None else {"status": status}))
    expected = [
        row["id"]
        for row in whole["subscriptions"]
        if (row["status"] != "canceled" if status is None else row["status"] in wanted)
    ]
    assert [row["id"] for row in found] == expected


@pytest.mark.parametrize(("edge", "pick"), [("current_period_start", max), ("current_period_end", min)])
def test_subscriptions_by_period(
    account: Account, whole: dict[str, Any], edge: str, pick: Callable[[list[int]], int]
) -> None:
    def period(row: dict[str, Any]) -> int:
        return pick([item[edge] for item in row["items"]["data"]])

    middle = sorted(map(period, whole["subscriptions"]))[len(whole["subscriptions"]) // 2]
    found = account.every("subscriptions", status="all", **{f"{edge}[gte]": middle})
    assert {row["id"] for row in found} == {row["id"] for row in whole["subscriptions"] if period(row) >= middle}


def test_lists_of_one_customer(account: Account, whole: dict[str, Any]) -> None:
    owner = whole["disputes"][0]["charge"]
    customer = next(row["customer"] for row in whole["charges"] if row["id"] == owner)
    for name in ("subscriptions", "invoices", "charges", "payment_intents"):
        extra = {"status": "all"} if name == "subscriptions" else {}
        found = account.every(name, customer=customer, limit=1, **extra)
        assert [row["id"] for row in found] == [row["id"] for row in whole[name] if row["customer"] == customer] != []


def test_invoices_of_a_subscription_and_charges_of_an_intent(account: Account, whole: dict[str, Any]) -> None:
    bill = next(row for row in whole["invoices"] if row["status"] == "open" and row["attempt_count"] > 1)
    sold = bill["parent"]["subscription_details"]["subscription"]
    found = account.every("invoices", subscription=sold)
    assert bill["id"] in {row["id"] for row in found}
    assert {row["parent"]["subscription_details"]["subscription"] for row in found} == {sold}
    [payment] = account.get(f"invoices/{bill['id']}", **{"expand[]": "payments"})["payments"]["data"]
    charges = account.every("charges", payment_intent=payment["payment"]["payment_intent"])
    assert {charge["status"] for charge in charges} <= {"failed"}


def test_customers_by_email_are_found_case_sensitively(account: Account, whole: dict[str, Any]) -> None:
    row = next(row for row in whole["customers"] if row["email"])
    assert row["id"] in {found["id"] for found in account.get("customers", email=row["email"])["data"]}
    assert account.get("customers", email=row["email"].swapcase())["data"] == []


@pytest.mark.parametrize("name", RESOURCES)
def test_an_object_is_the_same_alone_as_in_its_list(account: Account, whole: dict[str, Any], name: str) -> None:
    rotating = ("hosted_invoice_url", "invoice_pdf", "receipt_url")
    for row in whole[name][:20]:
        alone = account.get(f"{name}/{row['id']}")
        assert {k: v for k, v in alone.items() if k not in rotating} == {
            k: v for k, v in row.items() if k not in rotating
        }


def test_links_carry_another_token_at_every_read(account: Account, whole: dict[str, Any]) -> None:
    bill = next(row for row in whole["invoices"] if row["status"] == "paid")
    first, second = (account.get(f"invoices/{bill['id']}") for _ in range(2))
    assert first["hosted_invoice_url"] != second["hosted_invoice_url"]
    assert first["invoice_pdf"] != second["invoice_pdf"]


def test_the_pollers_one_call_has_the_whole_state(account: Account, whole: dict[str, Any]) -> None:
    expand = ["latest_invoice", "latest_invoice.payments", "customer", "discounts", "items.data.discounts"]
    page = account.get("subscriptions", status="all", limit=100, **{"expand[]": [f"data.{path}" for path in expand]})
    for row in page["data"]:
        assert row["customer"]["object"] == "customer"
        assert row["latest_invoice"]["payments"]["object"] == "list"
        assert all(each["coupon"]["object"] == "coupon" for each in row["discounts"])
    assert any(row["discounts"] for row in page["data"])


def test_what_a_list_inside_an_object_cuts_off_is_behind_its_address(fresh: Callable[..., Account]) -> None:
    account = fresh()
    world = account.simulator.company.world
    sold = next(s for s in world.subscriptions.newest(0, len(world.subscriptions)) if len(s.items) == 1)
    family = {plan.family: plan for plan in world.catalogue.plans.values() if plan.currency == sold.currency}
    for plan in [*family.values(), *family.values()][:12]:
        sold.items.append(type(sold.items[0])(sold.items[0].number + 1 + len(sold.items), plan, 1, 0, 0, 0, 1 << 60))
    name = account.simulator.company.ids.encode("subscription", sold.number)
    items = account.get(f"subscriptions/{name}")["items"]
    assert (len(items["data"]), items["has_more"]) == (10, True)
    rest = account.get("subscription_items", subscription=name, limit=100)
    assert len(rest["data"]) == 13
    rest = account.get("subscription_items", subscription=name, starting_after=items["data"][-1]["id"])
    assert (len(rest["data"]), rest["has_more"]) == (3, False)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"limit": 101}, 400, "parameter_invalid_integer"),
        ({"limit": 0}, 400, "parameter_invalid_integer"),
        ({"limit": "many"}, 400, "parameter_invalid_integer"),
        ({"nonsense": 1}, 400, "parameter_unknown"),
        ({"created[near]": 1}, 400, "parameter_unknown"),
        ({"starting_after": "in_nobody"}, 400, "resource_missing"),
        ({"customer": "cus_nobody"}, 400, "resource_missing"),
        ({"status": "lost"}, 400, None),
        ({"include[]": "total_count"}, 400, "parameter_unknown"),
        ({"expand[]": "data.nonsense"}, 400, "property_cannot_be_expanded"),
        ({"expand[]": "customer"}, 400, "property_cannot_be_expanded"),
        ({"expand[]": "data.payments.data.payment.payment_intent"}, 400, "property_cannot_be_expanded"),
        ({"expand[]": "data.default_payment_method"}, 403, "more_permissions_required"),
    ],
)
def test_a_bad_question_is_refused_as_stripe_refuses_it(
    account: Account, query: dict[str, Any], status: int, code: str | None
) -> None:
    found, error = account.refusal("invoices", **query)
    assert (found, error.get("code")) == (status, code)


def test_both_cursors_at_once_are_refused(account: Account, whole: dict[str, Any]) -> None:
    first, second = whole["invoices"][:2]
    assert account.refusal("invoices", starting_after=first["id"], ending_before=second["id"])[0] == 400


def test_coupons_come_inline_up_to_basil_and_cannot_be_expanded_after_it(account: Account) -> None:
    query = {"status": "all", "limit": 100, "expand[]": "data.discounts"}
    inline = account.get("subscriptions", **query)["data"]
    assert any(each["coupon"]["percent_off"] for row in inline for each in row["discounts"])
    later = account.get("subscriptions", version="2026-08-26.dahlia", **query)["data"]
    assert all(isinstance(each["source"]["coupon"], str) for row in later for each in row["discounts"])
    status, error = account.refusal(
        "subscriptions", version="2026-08-26.dahlia", **{"expand[]": "data.discounts.source.coupon"}
    )
    assert (status, "rak_coupon_read" in error["message"]) == (403, True)


def test_the_older_shape_has_what_basil_took_away(account: Account) -> None:
    version = "2025-02-24.acacia"
    for bill in account.get("invoices", version=version, limit=50)["data"]:
        assert bill["subscription"].startswith("sub_")
        assert bill["paid"] is (bill["status"] == "paid")
        assert "parent" not in bill
        assert all(line["type"] == "subscription" and line["price"]["id"] for line in bill["lines"]["data"])
    for sold in account.get("subscriptions", version=version)["data"]:
        assert (
            sold["current_period_end"]
            == min(account.get(f"subscriptions/{sold['id']}")["items"]["data"], key=lambda i: i["current_period_end"])[
                "current_period_end"
            ]
        )
    assert all(row["invoice"].startswith("in_") for row in account.get("charges", version=version)["data"])


def test_the_newer_shape_names_the_order_of_a_payment_intent(account: Account) -> None:
    for row in account.get("payment_intents", version="2026-08-26.dahlia")["data"]:
        assert row["payment_details"]["order_reference"].startswith("in_")
    assert all("payment_details" not in row for row in account.get("payment_intents")["data"])


@given(limit=st.integers(1, 100), skip=st.integers(0, 150))
def test_any_page_is_a_slice_of_the_whole(account: Account, whole: dict[str, Any], limit: int, skip: int) -> None:
    rows = whole["payment_intents"]
    page = account.get("payment_intents", limit=limit, starting_after=rows[skip]["id"])
    assert [row["id"] for row in page["data"]] == [row["id"] for row in rows[skip + 1 : skip + 1 + limit]]
    assert page["has_more"] is (len(rows) > skip + 1 + limit)
