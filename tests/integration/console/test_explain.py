"""Why an MRR is what it is, as the console's API tells it from mrr's ledger."""

from typing import Any
from urllib.parse import urlencode

import httpx

from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.mrr.tables import Tables
from tests.unit.mrr.build import discount, item, price, subscription
from tests.unit.mrr.feed import CONNECTION, raw_record
from tests.unit.mrr.story import day


def asked(console: RunningConsole, company: Company, customer: str, **more: str) -> httpx.Response:
    parameters = {"customer": customer, "workspace": company.workspace_id, **more}
    return console.operator.get(f"/api/mrr/explain?{urlencode(parameters)}")


def counted(console: RunningConsole, company: Company, customer: str) -> None:
    """A customer of two seats at 10 % off, then of three."""
    tables = Tables(console.admin_url)
    off = [discount(percent=10)]
    for version, quantity in ((1, 2), (2, 3)):
        obj = subscription(
            item(price(12_000, "year"), quantity), name=f"sub_{customer}", customer=customer, discounts=off
        )
        tables.apply(
            [raw_record("subscription", obj, at=day(version * 10), version=version, workspace=company.workspace_id)]
        )
    tables.close()


def test_an_explanation_has_items_with_their_steps_and_movements_with_the_record_behind_each(
    console: RunningConsole, company: Company
) -> None:
    counted(console, company, "cus_explained")
    answer = asked(console, company, "cus_explained")
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["mrr"]
    assert (one["currency"], one["mrr"], one["exact"], one["connection_id"]) == ("usd", 2700, "2700", CONNECTION)
    (only,) = one["items"]
    assert only["steps"] == ["12000 × 3: 36000", "× 1/12 (every 1 year)", "− 10 % (discount di_1)"]
    assert [record.rpartition("/")[0].rpartition("/")[0] for record in only["records"]] == [
        "stripe.subscription.raw.v1"
    ]
    assert [(row["kind"], row["mrr_before"], row["mrr_after"]) for row in one["movements"]] == [
        ("new", 0, 1800),
        ("expansion", 1800, 2700),
    ]
    assert all(row["record"].startswith("stripe.subscription.raw.v1/") for row in one["movements"])


def test_as_of_a_day_it_is_what_held_at_its_end(console: RunningConsole, company: Company) -> None:
    counted(console, company, "cus_explained_at")
    (one,) = asked(console, company, "cus_explained_at", at="2026-01-15").json()["mrr"]
    assert (one["mrr"], [item["quantity"] for item in one["items"]]) == (1800, [2])


def test_a_plan_that_was_swapped_at_the_same_price_is_what_is_paid_for_now(
    console: RunningConsole, company: Company
) -> None:
    counted(console, company, "cus_swapped")
    (before,) = asked(console, company, "cus_swapped").json()["mrr"]
    assert before["pays_for"] == [{"price": "price_1", "quantity": 3, "mrr": 2700}]
    tables = Tables(console.admin_url)
    of = item(price(12_000, "year", id="price_new"), 3)
    obj = subscription(of, name="sub_cus_swapped", customer="cus_swapped", discounts=[discount(percent=10)])
    tables.apply([raw_record("subscription", obj, at=day(30), version=3, workspace=company.workspace_id)])
    tables.close()
    (one,) = asked(console, company, "cus_swapped").json()["mrr"]
    assert one["pays_for"] == [{"price": "price_new", "quantity": 3, "mrr": 2700}]
    assert (one["mrr"], len(one["movements"]), one["items_as_of"]) == (2700, 2, before["items_as_of"])
    (then,) = asked(console, company, "cus_swapped", at="2026-01-15").json()["mrr"]
    assert then["pays_for"] is None


def test_nothing_is_told_of_a_customer_that_never_counted_or_of_another_workspace(
    console: RunningConsole, company: Company
) -> None:
    counted(console, company, "cus_secret")
    for refused in (asked(console, company, "cus_nobody"), asked(console, console.company("Other"), "cus_secret")):
        assert refused.status_code == 404
        said: dict[str, Any] = refused.json()["error"]
        assert said["code"] == "no_mrr"
