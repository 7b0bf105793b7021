"""The numbers, the lists behind them, and who sees which."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.console.schema import MIGRATIONS
from tests.fixtures.stacks import wait_for
from tests.integration.console.conftest import STRIPE_KEY, Company, RunningConsole

NOW = datetime.now(UTC)
OBJECT: dict[str, Any] = {
    "livemode": False,
    "deleted": False,
    "version": 1,
    "observed_at": NOW,
    "source_topic": "t",
    "source_partition": 0,
    "source_offset": 0,
}


def add_customer(console: RunningConsole, company: Company, connection: str, customer: str, **columns: object) -> None:
    known = {"name": customer.title(), "email": f"{customer}@example.com", "created_at": NOW, **OBJECT, **columns}
    console.add(
        "mirror.customers",
        workspace_id=company.workspace_id,
        connection_id=connection,
        customer_id=customer,
        **known,
    )


def add_mrr(
    console: RunningConsole, company: Company, connection: str, customer: str, *, currency: str = "usd", mrr: int
) -> None:
    console.add(
        "mrr.balances",
        subject=f"{connection}/{customer}",
        currency=currency,
        workspace_id=company.workspace_id,
        connection_id=connection,
        customer_id=customer,
        mrr=mrr,
        basis="subscription",
        unvalued=0,
    )


def add_signal(
    console: RunningConsole,
    company: Company,
    connection: str,
    customer: str,
    *,
    code: str = "payment_failed",
    **columns: Any,
) -> None:
    known = {
        "state": "open",
        "severity": "high",
        "opened_at": NOW - timedelta(days=1),
        "sentence": f"{customer} did not pay.",
        "detail": {},
        "evidence": [
            {
                "source": {"topic": "stripe.invoice.raw.v1", "partition": 3, "offset": 17},
                "object_id": "in_1",
                "says": "open",
            }
        ],
        "revision": 1,
        "livemode": False,
        **columns,
    }
    console.add(
        "detector.signals",
        signal_id=f"sig_{connection}_{customer}_{code}",
        subject=f"{connection}/{customer}",
        workspace_id=company.workspace_id,
        connection_id=connection,
        customer_id=customer,
        code=code,
        **known,
    )


def connected(console: RunningConsole, company: Company, state: str = "live", **said: object) -> str:
    company.browser.connect(STRIPE_KEY)
    return console.poller_says(company, state, **{"livemode": False, **said})


def overview(console: RunningConsole, company: Company) -> dict[str, Any]:
    answer = console.operator.get(f"/api/overview?workspace={company.workspace_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_figures_are_those_of_the_tables(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    for customer in ("ada", "grace", "gone"):
        add_customer(console, company, connection, customer, deleted=customer == "gone")
    add_mrr(console, company, connection, "ada", mrr=4900)
    add_mrr(console, company, connection, "grace", mrr=100)
    add_mrr(console, company, connection, "grace", currency="jpy", mrr=5000)
    add_signal(console, company, connection, "ada")
    add_signal(console, company, connection, "grace", state="resolved", resolved_at=NOW)
    add_signal(
        console, company, connection, "old", state="resolved", opened_at=NOW - timedelta(days=31), resolved_at=NOW
    )
    add_signal(console, company, connection, "wrong", state="withdrawn")
    add_signal(console, company, connection, "long", opened_at=NOW - timedelta(days=90), code="subscription_lapsed")
    found = overview(console, company)
    assert found["tracked_users"] == 2
    assert found["mrr"] == {"usd": 5000, "jpy": 5000}
    assert found["signals"] == {
        "payment_failed": {"open": 1, "recent": 2},
        "subscription_lapsed": {"open": 1, "recent": 0},
    }
    page = company.browser.get("/").text
    for text in ("$50.00", "¥5,000", "Test mode", "ada did not pay.", "2 in the last 30 days"):
        assert text in page


def test_live_figures_stand_alone_once_there_is_a_live_account(console: RunningConsole, company: Company) -> None:
    test = connected(console, company)
    add_customer(console, company, test, "test")
    assert (overview(console, company)["mode"], overview(console, company)["tracked_users"]) == ("test", 1)
    company.browser.connect(STRIPE_KEY.replace("_test_", "_live_"))
    live = console.poller_says(company, "live", livemode=True)
    add_customer(console, company, live, "live", livemode=True)
    add_customer(console, company, live, "live2", livemode=True)
    assert (overview(console, company)["mode"], overview(console, company)["tracked_users"]) == ("live", 2)
    assert "Test mode" not in company.browser.get("/").text


def test_test_mode_is_shown_apart_from_live_mode_when_asked_for(console: RunningConsole, company: Company) -> None:
    test = connected(console, company)
    add_customer(console, company, test, "trial-run")
    company.browser.connect(STRIPE_KEY.replace("_test_", "_live_"))
    live = console.poller_says(company, "live", livemode=True)
    add_customer(console, company, live, "paying", livemode=True)
    assert "Show test mode" in company.browser.get("/").text
    assert company.browser.send("/", "/mode", {"mode": "test"}).status_code == 303
    shown = company.browser.get("/customers").text
    assert "trial-run" in shown
    assert "paying" not in shown
    assert company.browser.get("/customers/trial-run").status_code == 200
    assert company.browser.get("/customers/paying").status_code == 404
    assert company.browser.send("/", "/mode", {"mode": "live"}).status_code == 303
    assert "paying" in company.browser.get("/customers").text


def test_two_workspaces_never_see_each_other(console: RunningConsole, company: Company) -> None:
    other = console.company("Other")
    mine, theirs = connected(console, company), connected(console, other)
    for owner, connection, name in ((company, mine, "ada"), (other, theirs, "grace")):
        add_customer(console, owner, connection, name)
        add_mrr(console, owner, connection, name, mrr=4900)
        add_signal(console, owner, connection, name)
    for path in (
        "/",
        "/customers",
        "/customers?currency=usd",
        "/customers?q=grace",
        "/signals",
        "/signals?show=recent",
    ):
        page = company.browser.get(path).text
        assert "grace" not in page.lower().replace('value="grace"', "").replace("“grace”", "").replace("q=grace", "")
        assert theirs not in page
    assert company.browser.get("/customers/ada").status_code == 200
    assert company.browser.get("/customers/grace").status_code == 404
    assert company.browser.get(f"/settings/integrations/stripe/{theirs}/disconnect").status_code == 404
    token = company.browser.form_token("/settings/integrations")
    stolen = company.browser.post(f"/settings/integrations/stripe/{theirs}/disconnect", data={"form_token": token})
    assert stolen.status_code == 404
    (write_key,) = console.rows(
        "SELECT write_key_id FROM control.write_keys WHERE workspace_id = %s", other.workspace_id
    )
    company.browser.post(f"/settings/tracking/keys/{write_key[0]}/revoke", data={"form_token": token})
    assert console.rows("SELECT revoked_at FROM control.write_keys WHERE write_key_id = %s", write_key[0]) == [(None,)]
    assert overview(console, other)["tracked_users"] == 1


def test_customers_are_found_by_name_address_and_id(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "cus_1", name="Ada Lovelace", email="ada@example.com")
    add_customer(console, company, connection, "cus_2", name="100% Wool", email="wool@example.com")
    for query, found, lost in (("lovelace", "Ada", "Wool"), ("WOOL@", "Wool", "Ada"), ("cus_1", "Ada", "Wool")):
        page = company.browser.get(f"/customers?q={query}").text
        assert found in page
        assert lost not in page
    assert "Ada" not in company.browser.get("/customers?q=%25").text
    assert "Nobody matches" in company.browser.get("/customers?q=c_s").text


def test_a_long_list_is_read_page_by_page_without_a_gap(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    names = [f"customer{number:03}" for number in range(120)]
    for number, name in enumerate(names):
        add_customer(console, company, connection, name, created_at=NOW - timedelta(minutes=number // 3))
        add_mrr(console, company, connection, name, mrr=100 * (1 + number // 7))
    for start in ("/customers", "/customers?currency=usd"):
        assert sorted(walk(company, start)) == names


def walk(company: Company, start: str) -> list[str]:
    """The customers of every page of a list, by its own links."""
    found: list[str] = []
    path: str | None = start
    while path:
        page = company.browser.get(path).text
        found += [part.partition('"')[0] for part in page.split('class="lead"><a href="/customers/')[1:]]
        _, more, rest = page.partition('class="next" href="')
        path = rest.partition('"')[0].replace("&amp;", "&") if more else None
    return found


def test_a_signal_shows_its_evidence_down_to_the_record(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "ada", name="Ada Lovelace")
    add_signal(console, company, connection, "ada")
    page = company.browser.get("/signals?code=payment_failed").text
    for text in ("ada did not pay.", "Ada Lovelace", "in_1", "stripe.invoice.raw.v1/3/17", "High"):
        assert text in page
    assert "Nothing is open" in company.browser.get("/signals?code=subscription_lapsed").text


def test_a_trial_is_shown_with_its_end(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "ada")
    console.add(
        "mirror.subscriptions",
        workspace_id=company.workspace_id,
        connection_id=connection,
        subscription_id="sub_1",
        customer_id="ada",
        status="trialing",
        trial_end=datetime(2031, 5, 17, tzinfo=UTC),
        **OBJECT,
    )
    assert "17 May 2031" in company.browser.get("/customers").text
    assert "Trialing" in company.browser.get("/customers/ada").text


def test_progress_is_shown_while_the_account_is_first_read(console: RunningConsole, company: Company) -> None:
    progress = {"percent": 46, "customers": {"done": 12, "total": 2037}}
    connection = connected(console, company, "first_minute", progress=progress, customers_counted=2037)
    add_customer(console, company, connection, "ada")
    page = company.browser.get("/").text
    for text in ("Reading your account", "46 %", "12 of 2,037", "1 read so far"):
        assert text in page
    assert overview(console, company)["tracked_users"] == 2037


def test_a_service_that_was_never_started_is_told_and_breaks_nothing(own_console: RunningConsole) -> None:
    own_console.start()
    company = own_console.company()
    connected(own_console, company)
    own_console.rows("DROP VIEW analytics.customers, analytics.subscriptions, analytics.mrr_by_customer CASCADE")
    own_console.rows("REVOKE SELECT ON analytics.signals FROM dropfix_reader")
    for path, text in (("/", "not there yet"), ("/customers", "mirror"), ("/signals", "detector")):
        answer = company.browser.get(path)
        assert answer.status_code == 200
        assert text in answer.text
    found = overview(own_console, company)
    assert (found["tracked_users"], found["mrr"], found["signals"]) == (None, None, None)


@pytest.mark.parametrize(
    "path",
    [
        "/customers?after=nonsense&id=x",
        "/customers?currency=usd&after=nonsense&id=x",
        "/customers?currency=%00",
        "/customers?q=%00",
        "/customers/%00",
        "/signals?after=nonsense&id=x",
        "/signals?show=nonsense",
        "/first-run?token=%00",
        "/settings/integrations/stripe/%00/disconnect",
    ],
)
def test_an_address_that_was_made_up_is_no_fault_of_ours(console: RunningConsole, company: Company, path: str) -> None:
    assert 200 <= company.browser.get(path).status_code < 500
    assert "Traceback" not in console.log


def test_empty_pages_say_what_to_do_next(console: RunningConsole, company: Company) -> None:
    for path in ("/", "/customers", "/signals"):
        assert 'href="/settings/integrations">Connect Stripe' in company.browser.get(path).text


def test_without_an_accepted_key_no_figure_is_claimed(console: RunningConsole, company: Company) -> None:
    connected(console, company, "refused", reason="Stripe does not accept the key.")
    page = company.browser.get("/").text
    assert "No figures yet" in page
    assert "No payment is failing" not in page


def test_an_open_page_hears_of_a_change(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    with company.browser.client.stream("GET", "/live") as stream:
        lines = stream.iter_lines()
        assert next_event(lines) == "changed"  # what it may have missed while it opened
        add_customer(console, company, connection, "ada")
        assert next_event(lines) == "changed"
        console.poller_says(company, "stopped", reason="The key was deleted.")
        assert next_event(lines) == "changed"


def next_event(lines: Iterator[str]) -> str:
    return next(line.partition(": ")[2] for line in lines if line.startswith("event:"))


def test_the_stream_of_changes_needs_a_session(console: RunningConsole) -> None:
    assert console.browser().get("/live").json()["error"]["code"] == "not_signed_in"


def test_a_database_that_is_away_is_told_and_comes_back(own_console: RunningConsole) -> None:
    own_console.start()
    company = own_console.company()
    database = own_console.rows("SELECT current_database()")[0][0]
    own_console.rows(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
    own_console.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
        database,
        MIGRATIONS.role.name,
    )
    answer = company.browser.get("/")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.text
    assert httpx.get(f"{own_console.address}/healthz").status_code == 200
    wait_for("the console says what it waits for", lambda: "PostgreSQL" in readiness(own_console))
    own_console.rows(f'ALTER DATABASE "{database}" CONNECTION LIMIT -1')
    wait_for("the console is ready again", lambda: '"ready": true' in readiness(own_console))
    assert company.browser.get("/").status_code == 200


def readiness(console: RunningConsole) -> str:
    return httpx.get(f"{console.address}/readyz").text
