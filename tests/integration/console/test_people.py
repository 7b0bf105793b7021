"""Users of the product beside customers: who counts, and whose customer each is."""

from datetime import UTC, datetime, timedelta

from tests.integration.console.conftest import STRIPE_KEY, Company, RunningConsole
from tests.integration.console.test_dashboard import add_customer, add_mrr

NOW = datetime.now(UTC)
SOURCE = {"source_topic": "t", "source_partition": 0, "source_offset": 0}


def add_user(console: RunningConsole, company: Company, user_id: str, **columns: object) -> None:
    known = {"email": f"{user_id}@example.com", "name": None, "since": NOW - timedelta(days=1), **columns}
    console.add(
        "detector.persons",
        owner=f"{company.workspace_id}/{user_id}",
        workspace_id=company.workspace_id,
        user_id=user_id,
        deleted=False,
        state=b"",
        **SOURCE,
        **known,
    )


def add_match(
    console: RunningConsole, company: Company, connection: str, customer: str, user_id: str, **columns: object
) -> None:
    known = {"state": "matched", "matched_by": "email", "livemode": False, "revision": 1, **columns}
    console.add(
        "detector.matches",
        connection_id=connection,
        customer_id=customer,
        user_id=user_id,
        workspace_id=company.workspace_id,
        effective_at=NOW,
        **SOURCE,
        **known,
    )


def connected(console: RunningConsole, company: Company) -> str:
    company.browser.connect(STRIPE_KEY)
    return console.poller_says(company, "live", account_id="acct_1", livemode=False)


def test_a_customer_counts_once_and_a_user_only_where_it_is_no_customers(
    console: RunningConsole, company: Company
) -> None:
    connection = connected(console, company)
    for name in ("cus_a", "cus_b"):
        add_customer(console, company, connection, name)
    for user_id in ("u_1", "u_2", "u_3"):
        add_user(console, company, user_id)
    add_match(console, company, connection, "cus_a", "u_1")
    add_match(console, company, connection, "cus_b", "u_2", state="unmatched", revision=2)
    add_match(console, company, "con_of_another_mode", "cus_x", "u_3")
    found = console.operator.client.get("/api/overview", params={"workspace": company.workspace_id}).json()
    assert (found["tracked_users"], found["customers_read"], found["users_alone"]) == (4, 2, 2)
    assert "2 users" in company.browser.get("/").text


def test_without_stripe_the_users_of_the_product_are_tracked(console: RunningConsole, company: Company) -> None:
    add_user(console, company, "u_1")
    found = console.operator.client.get("/api/overview", params={"workspace": company.workspace_id}).json()
    assert found["tracked_users"] == 1
    assert "Who are you about to lose?" not in company.browser.get("/").text


def test_the_list_shows_those_without_a_customer_first_and_everybody_with_theirs(
    console: RunningConsole, company: Company
) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "cus_a", name="Ada Lovelace")
    add_user(console, company, "u_1", name="Ada")
    add_user(console, company, "u_2", name="Bob")
    add_match(console, company, connection, "cus_a", "u_1")
    alone = company.browser.get("/users").text
    assert "Bob" in alone
    assert "u_1" not in alone
    everybody = company.browser.get("/users?show=all").text
    assert "Bob" in everybody
    assert '<a class="line" href="/customers/cus_a">Ada Lovelace</a>' in everybody
    assert "u_2" not in company.browser.get("/users?show=all&q=lovelace").text
    assert "u_1" in company.browser.get("/customers/cus_a").text


def test_a_person_matches_a_user_and_a_customer_and_undoes_it(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "cus_a", name="Ada Lovelace", email="billing@ada.example")
    add_user(console, company, "u_1", name="Ada")
    assert "cus_a" in company.browser.get("/users?show=customers").text
    found = company.browser.get("/match?user=u_1&q=lovelace").text
    assert "Ada Lovelace" in found
    answer = company.browser.send("/match?user=u_1&q=lovelace", "/match", {"customer": "cus_a", "user": "u_1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers/cus_a")
    add_match(console, company, connection, "cus_a", "u_1", matched_by="hand")
    assert "cus_a" not in company.browser.get("/users?show=customers").text
    assert "matched by hand" in company.browser.get("/customers/cus_a").text
    company.browser.send("/customers/cus_a", "/match", {"customer": "cus_a", "user": "u_1", "is": "no"})
    decided = console.rows(
        "SELECT connection_id, detail FROM control.decisions WHERE workspace_id = %s AND kind = 'identity.match'"
        " ORDER BY decided_at",
        company.workspace_id,
    )
    about = {"customer_id": "cus_a", "user_id": "u_1"}
    assert decided == [(connection, about | {"matched": True}), (connection, about | {"matched": False})]


def test_a_customers_user_is_looked_for_by_its_address(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "cus_a", email="ada@example.com")
    add_user(console, company, "u_1", email="ada@example.com")
    add_user(console, company, "u_2", email="bob@example.com")
    page = company.browser.get("/match?customer=cus_a").text
    assert "u_1" in page
    assert "u_2" not in page
    assert "No user matches" in company.browser.get("/match?customer=cus_a&q=nobody").text


def test_nobody_of_another_company_can_be_matched(console: RunningConsole, company: Company) -> None:
    connection, other = connected(console, company), console.company("Other")
    add_customer(console, company, connection, "cus_a")
    add_user(console, company, "u_1")
    add_user(console, other, "u_9")
    assert other.browser.get("/match?customer=cus_a").status_code == 404
    assert company.browser.get("/match?user=u_9").status_code == 404
    sent = company.browser.send("/match?user=u_1", "/match", {"customer": "cus_a", "user": "u_9"})
    assert sent.status_code == 404


def test_long_lists_of_users_go_on_on_further_pages(console: RunningConsole, company: Company) -> None:
    for number in range(60):
        add_user(console, company, f"u_{number:02}", since=NOW - timedelta(hours=number))
    first = company.browser.get("/users").text
    assert first.count("<tr>") - 1 == 50
    link = first.split('class="next" href="')[1].split('"')[0].replace("&amp;", "&")
    rest = company.browser.get(link).text
    assert rest.count("<tr>") - 1 == 10
    assert "u_59" in rest


def test_the_users_of_one_company_are_not_those_of_another(console: RunningConsole, company: Company) -> None:
    add_user(console, company, "u_1", name="Ada")
    other = console.company("Other")
    assert "Ada" not in other.browser.get("/users?show=all").text


def test_a_user_whose_mrr_identify_tells_is_in_the_list_of_those_who_pay(
    console: RunningConsole, company: Company
) -> None:
    add_user(console, company, "u_1", name="Ada Lovelace", email="ada@example.com")
    add_mrr(console, company, company.workspace_id, "u_1", mrr=4900)
    page = company.browser.get("/customers?currency=usd").text
    assert "Ada Lovelace" in page
    assert "a user, by identify()" in page
    assert "/users?show=all&amp;q=u_1" in page
    connection = connected(console, company)
    add_customer(console, company, connection, "u_1", name="Another")
    add_mrr(console, company, connection, "u_1", mrr=1000)
    page = company.browser.get("/customers?currency=usd").text
    assert [page.count(text) for text in ("Ada Lovelace", "Another", "$49.00", "$10.00")] == [1, 1, 1, 1]
    assert "Ada Lovelace" not in company.browser.get("/customers?currency=usd&q=another").text
    assert "Ada Lovelace" in company.browser.get("/customers?currency=usd&q=ada@").text
