"""The official SDK reads the simulator as if it were Stripe: objects, pages, searches and its own exceptions."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from simulator.api.limits import Rates
from simulator.app import ServerSettings, Simulator, simulate
from simulator.company.life import Growth
from simulator.founding import found
from simulator.server import running
from simulator.vast.account import vast

NOW = 1_795_500_000
RESOURCES = {
    "customers": stripe.Customer,
    "subscriptions": stripe.Subscription,
    "invoices": stripe.Invoice,
    "charges": stripe.Charge,
    "payment_intents": stripe.PaymentIntent,
    "disputes": stripe.Dispute,
}
SEARCHABLE = [name for name in RESOURCES if name != "disputes"]
PINNED = "2025-08-27.basil"


class Account:
    """The simulator at an address with a path, and SDK clients for its keys."""

    def __init__(self, simulator: Simulator, address: str) -> None:
        self.simulator = simulator
        self.address = address

    def client(self, key: str = "disputes", **options: Any) -> Any:
        return stripe.StripeClient(
            self.simulator.keys.named(key).secret,
            base_addresses={"api": self.address},
            max_network_retries=0,
            **options,
        ).v1

    def everything(self, service: str, params: dict[str, Any]) -> list[Any]:
        """All pages of a list, as the SDK turns them."""
        return list(getattr(self.client(), service).list(params).auto_paging_iter())

    def faults(self, *kinds: str) -> None:
        self.simulator.faults.replace({"faults": [{"kind": kind, "times": 1} for kind in kinds]})


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    company = found(seed=21, now=NOW, growth=Growth(customers=400, days=120))
    settings = ServerSettings(prefix="/stripe", rates=Rates(enforced=False))
    simulator = simulate(company, settings=settings)
    with running(simulator) as address:
        yield Account(simulator, address)


@pytest.mark.parametrize("version", [None, PINNED, "2025-02-24.acacia", "2026-08-26.dahlia"])
@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_is_listed_to_its_end(account: Account, name: str, version: str | None) -> None:
    options = {} if version is None else {"stripe_version": version}
    service = getattr(account.client(), name)
    params = {"limit": 100, **({"status": "all"} if name == "subscriptions" else {})}
    rows = list(service.list(params, options).auto_paging_iter())
    assert {type(row) for row in rows} == {RESOURCES[name]}
    shelves = {"payment_intents": "intents"}
    shelf = getattr(account.simulator.company.world, shelves.get(name, name))
    gone = account.simulator.company.record.customers_at(NOW)
    assert len(rows) == (gone if name == "customers" else len(shelf))


@pytest.mark.parametrize("name", RESOURCES)
def test_every_object_is_retrieved_by_its_id(account: Account, name: str) -> None:
    service = getattr(account.client(), name)
    for row in service.list({"limit": 3}).data:
        assert service.retrieve(row.id).id == row.id


@pytest.mark.parametrize("name", SEARCHABLE)
def test_every_search_is_read_to_its_end(account: Account, name: str) -> None:
    service = getattr(account.client(), name)
    found_all = list(service.search({"query": "created>0", "limit": 100}).auto_paging_iter())
    counted = service.search({"query": "created>0", "limit": 1, "expand": ["total_count"]})
    assert len({row.id for row in found_all}) == len(found_all) == counted.total_count


def test_expansions_become_objects(account: Account) -> None:
    options = {"stripe_version": PINNED}
    params = {
        "status": "all",
        "limit": 100,
        "expand": ["data.customer", "data.latest_invoice.payments", "data.discounts"],
    }
    page = account.client().subscriptions.list(params, options)
    assert {type(row.customer) for row in page.data} == {stripe.Customer}
    assert {type(row.latest_invoice) for row in page.data} == {stripe.Invoice}
    assert any(row.discounts and isinstance(row.discounts[0]["coupon"], stripe.Coupon) for row in page.data)
    payments = account.client().invoice_payments.list(
        {"limit": 50, "expand": ["data.payment.payment_intent.latest_charge"]}, options
    )
    intents = [row.payment.payment_intent for row in payments.data]
    assert {type(intent) for intent in intents} == {stripe.PaymentIntent}
    assert any(isinstance(intent.latest_charge, stripe.Charge) for intent in intents)


def test_nested_lists_are_paged_by_the_sdk(account: Account) -> None:
    bill = max(
        account.client().invoices.list({"limit": 100}).auto_paging_iter(), key=lambda invoice: len(invoice.lines.data)
    )
    lines = account.client().invoices.line_items.list(bill.id, {"limit": 100})
    assert [line.id for line in lines.data][: len(bill.lines.data)] == [line.id for line in bill.lines.data]


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("revoked", stripe.AuthenticationError),
        ("expired", stripe.AuthenticationError),
        ("publishable", stripe.AuthenticationError),
        ("customers_only", stripe.PermissionError),
    ],
)
def test_keys_that_may_not_raise_what_stripe_makes_them_raise(
    account: Account, key: str, error: type[stripe.StripeError]
) -> None:
    with pytest.raises(error) as raised:
        account.client(key).invoices.list()
    assert raised.value.request_id is not None
    assert account.simulator.keys.named(key).secret not in str(raised.value)


def test_the_account_is_learnt_from_its_refusal(account: Account) -> None:
    with pytest.raises(stripe.PermissionError) as raised:
        account.client("full").accounts.retrieve_current()
    assert account.simulator.company.ids.account in str(raised.value)
    assert account.client("secret").accounts.retrieve_current().id == account.simulator.company.ids.account


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", stripe.RateLimitError),
        ("lock", stripe.RateLimitError),
        ("500", stripe.APIError),
        ("502", stripe.APIError),
        ("503", stripe.APIError),
        ("504", stripe.APIError),
        ("409", stripe.APIError),
        ("403", stripe.PermissionError),
        ("ip", stripe.AuthenticationError),
        ("400", stripe.InvalidRequestError),
        ("404", stripe.InvalidRequestError),
        ("html", stripe.APIError),
        ("empty", stripe.APIError),
        ("garbage", stripe.APIError),
        ("half", stripe.APIConnectionError),
        ("401", stripe.AuthenticationError),
    ],
)
def test_faults_raise_the_sdks_own_exceptions(account: Account, kind: str, error: type[stripe.StripeError]) -> None:
    account.faults(kind)
    with pytest.raises(error):
        account.client().customers.list()
    assert account.client().customers.list({"limit": 1}).data


def test_a_server_that_hangs_is_given_up(account: Account) -> None:
    account.faults("hang")
    impatient = account.client(http_client=stripe.RequestsClient(timeout=0.3))
    with pytest.raises(stripe.APIConnectionError):
        impatient.customers.list()


def test_the_sdks_retries_outlive_a_passing_fault(account: Account) -> None:
    account.faults("500", "lock")
    before = account.simulator.stats.reads
    patient = stripe.StripeClient(
        account.simulator.keys.named("full").secret, base_addresses={"api": account.address}, max_network_retries=2
    )
    assert patient.v1.customers.list({"limit": 1}).data
    assert account.simulator.stats.reads == before + 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda v1: v1.customers.retrieve("cus_nobody"),
        lambda v1: v1.customers.list({"limit": 1000}),
        lambda v1: v1.subscriptions.list({"expand": ["data.items.data.price.product"]}),
        lambda v1: v1.customers.search({"query": "nonsense"}),
    ],
)
def test_bad_questions_are_invalid_requests(account: Account, ask: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        ask(account.client())
    assert raised.value.http_status in {400, 404}


def test_writing_is_refused(account: Account) -> None:
    with pytest.raises(stripe.StripeError) as raised:
        account.client("secret").customers.create({"email": "new@customers.example"})
    assert raised.value.http_status == 405


def test_a_deleted_customer_says_so(account: Account) -> None:
    world = account.simulator.company.world
    gone = next(who for who in world.customers.newest(0, len(world.customers)) if who.deleted_at is not None)
    name = account.simulator.company.ids.encode("customer", gone.number)
    assert account.client().customers.retrieve(name).deleted is True
    bills = account.client().invoices.list({"customer": name, "expand": ["data.customer"]}).data
    assert all(bill.customer.deleted for bill in bills)


def test_pages_that_change_while_they_are_turned_lose_nobody_who_stays(account: Account) -> None:
    before = {row.id for row in account.everything("customers", {"limit": 20})}
    account.simulator.faults.replace(
        {"faults": [{"kind": "act", "act": {"do": "create_customer"}, "operation": "customers.list", "skip": 3}]}
    )
    turned = [row.id for row in account.everything("customers", {"limit": 20})]
    account.simulator.faults.replace({})
    assert before <= set(turned)
    assert len(turned) == len(set(turned))


def test_items_beyond_the_inline_ten_and_windows_in_every_direction_are_listed(account: Account) -> None:
    v1 = account.client()
    sold = max(
        account.everything("subscriptions", {"status": "all", "limit": 100}), key=lambda row: len(row["items"].data)
    )
    items = list(v1.subscription_items.list({"subscription": sold.id, "limit": 3}).auto_paging_iter())
    assert {item.id for item in sold["items"].data} <= {item.id for item in items}
    bills = account.everything("invoices", {"limit": 100})
    middle = bills[len(bills) // 2]
    newer = list(v1.invoices.list({"limit": 50, "ending_before": middle.id}).auto_paging_iter())
    older = list(v1.invoices.list({"limit": 50, "starting_after": middle.id}).auto_paging_iter())
    assert [row.id for row in (*reversed(newer), middle, *older)] == [row.id for row in bills]
    window = {"gte": middle.created - 86_400, "lt": middle.created}
    found = account.everything("invoices", {"limit": 100, "created": window})
    assert [row.id for row in found] == [row.id for row in bills if window["gte"] <= row.created < window["lt"]]


@pytest.fixture(scope="module")
def giant() -> Iterator[Account]:
    simulator = simulate(vast(customers=1_000_000, now=NOW), settings=ServerSettings(rates=Rates(enforced=False)))
    with running(simulator) as address:
        yield Account(simulator, address)


def test_a_million_subscriptions_are_read_where_one_looks(giant: Account) -> None:
    v1, options = giant.client(), {"stripe_version": PINNED}
    page = v1.subscriptions.list({"limit": 100, "status": "all", "expand": ["data.latest_invoice.payments"]}, options)
    assert {type(row.latest_invoice) for row in page.data} == {stripe.Invoice}
    last = v1.subscriptions.list({"limit": 5, "status": "all", "created": {"lt": page.data[-1].created - 10**7}}).data[
        -1
    ]
    assert v1.subscriptions.retrieve(last.id).customer == last.customer
    failed = v1.charges.search({"query": f'status:"failed" AND created>{NOW - 86_400}', "limit": 100})
    assert {row.status for row in failed.data} == {"failed"}
    assert v1.customers.search({"query": "created>0", "limit": 1, "expand": ["total_count"]}).total_count == 10_000
    ending = v1.subscriptions.search({"query": f"canceled_at>{NOW - 3600}", "limit": 100}).data
    assert all(row.canceled_at > NOW - 3600 for row in ending)
    assert ending
