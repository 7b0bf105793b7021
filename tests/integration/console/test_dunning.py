"""What is being won back, and the link that ends emails to a customer."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.signed import UNSUBSCRIBE, sign
from schemas.catalogue import CONTROL_DECISION
from tests.integration.console.conftest import UNSUBSCRIBE_KEY, Company, RunningConsole
from tests.integration.console.reading import read_topic
from tests.integration.console.test_dashboard import add_customer, connected

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def add_episode(
    console: RunningConsole,
    company: Company,
    connection: str | None,
    customer: str,
    *,
    amounts: Mapping[str, tuple[int, int, int]] | None = None,
    **columns: Any,
) -> str:
    """An episode; `amounts` by currency: at stake, remaining, recovered. Its id."""
    name = f"ep_{company.workspace_id}_{customer}"
    given = amounts or {"usd": (4900, 4900, 0)}
    known = {
        "livemode": False,
        "state": "waiting",
        "opened_at": NOW - 2 * DAY,
        "step": 2,
        "steps": 3,
        "due_at": NOW + DAY,
        "mailed": 1,
        "mailed_at": NOW - 2 * DAY,
        "invoices": [invoice(f"in_{customer}", currency, *of_it) for currency, of_it in given.items()],
        "policy": {"days": [0, 3, 7], "first_hour": 9, "last_hour": 17},
        **columns,
    }
    console.add(
        "dunning.episodes",
        episode_id=name,
        subject=f"{connection or company.workspace_id}/{customer}",
        workspace_id=company.workspace_id,
        connection_id=connection,
        **{"customer_id" if connection else "user_id": customer},
        **known,
    )
    for currency, (stake, remaining, recovered) in given.items():
        console.add(
            "dunning.amounts",
            workspace_id=company.workspace_id,
            episode_id=name,
            currency=currency,
            at_stake=stake,
            remaining=remaining,
            recovered=recovered,
        )
    return name


def invoice(name: str, currency: str, stake: int, remaining: int, recovered: int) -> dict[str, Any]:
    return {
        "id": name,
        "number": "A-17",
        "currency": currency,
        "stake": stake,
        "remaining": remaining,
        "recovered": recovered,
        "failed_at": (NOW - 2 * DAY).isoformat(),
        "reason": "expired_card",
    }


def add_email(console: RunningConsole, company: Company, episode: str, *, step: int = 1, **columns: Any) -> None:
    known = {
        "state": "sent",
        "at": NOW - 2 * DAY,
        "recipient": "ada@customers.example",
        "subject_line": "Your payment did not go through",
        "detail": {
            "rule": "day 0",
            "due_at": (NOW - 2 * DAY).isoformat(),
            "first_failure": (NOW - 2 * DAY).isoformat(),
            "records": ["stripe.invoice.raw.v1/3/17"],
        },
        **columns,
    }
    console.add(
        "dunning.emails",
        episode_id=episode,
        step=step,
        attempt="",
        workspace_id=company.workspace_id,
        standing=4,
        source_topic="dunning.event.v1",
        source_partition=0,
        source_offset=0,
        **known,
    )


def token(company: Company, subject: str) -> str:
    return sign(UNSUBSCRIBE_KEY, UNSUBSCRIBE, (company.workspace_id, subject))


def decided(console: RunningConsole, company: Company, kind: str) -> list[tuple[Any, ...]]:
    return console.rows(
        "SELECT connection_id, detail, decided_by FROM control.decisions WHERE workspace_id = %s AND kind = %s",
        company.workspace_id,
        kind,
    )


def test_what_came_back_is_summed_by_currency_over_thirty_days(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    won: dict[str, Any] = {"state": "recovered", "reason": "paid", "due_at": None, "ended_at": NOW - DAY}
    add_episode(console, company, connection, "a", amounts={"usd": (4900, 0, 4900)}, **won)
    add_episode(console, company, connection, "b", amounts={"usd": (100, 0, 100), "jpy": (5000, 0, 5000)}, **won)
    add_episode(console, company, connection, "c", amounts={"usd": (700, 0, 700)}, **{**won, "mailed": 0})
    add_episode(console, company, connection, "old", amounts={"usd": (9, 0, 9)}, **{**won, "ended_at": NOW - 31 * DAY})
    add_episode(console, company, connection, "open", amounts={"usd": (2500, 1500, 1000)})
    page = company.browser.get("/dunning").text
    for text in ("$57.00", "¥5,000", "from 3 customers, 2 after an email", "$15.00", "unpaid by 1 customer"):
        assert text in page
    overview = company.browser.get("/").text
    for text in ('href="/dunning">Recovered', "$57.00", "¥5,000", "1 customer in hand"):
        assert text in overview
    paid = company.browser.get("/dunning?show=recovered").text
    for text in ("Paid after email 1 of 3", "Paid before any email"):
        assert text in paid


def test_every_episode_is_listed_where_it_stands(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_customer(console, company, connection, "ada", name="Ada Lovelace")
    add_episode(console, company, connection, "ada")
    add_episode(console, company, connection, "h", state="held", reason="disputed", due_at=None)
    add_episode(console, company, connection, "p", state="proposed", mailed=0, due_at=None)
    add_episode(console, company, connection, "e", state="exhausted", mailed=3, due_at=None, ended_at=NOW)
    add_episode(console, company, connection, "c", state="closed", reason="void", due_at=None, ended_at=NOW)
    add_episode(console, company, None, "by-hand", state="due")
    for show, *texts in (
        ("open", "Ada Lovelace", "Email 2 of 3 is next", "by-hand", "Email 2 of 3 is due"),
        ("held", "Held: a payment is disputed"),
        ("proposed", "Waits for you to start it"),
        ("exhausted", "All 3 emails went, and it is still unpaid"),
        ("closed", "Closed: the invoice was voided"),
    ):
        page = company.browser.get(f"/dunning?show={show}").text
        for text in texts:
            assert text in page


def test_what_was_recorded_by_hand_is_shown_in_its_own_mode(console: RunningConsole, company: Company) -> None:
    live = add_episode(console, company, None, "hand-live", livemode=True)
    tried = add_episode(console, company, None, "hand-test", livemode=False)
    add_email(console, company, tried)
    connected(console, company, livemode=True)
    page = company.browser.get("/dunning").text
    assert "hand-live" in page
    assert "hand-test" not in page
    assert "unpaid by 1 customer" in page
    assert [company.browser.get(f"/dunning/{name}").status_code for name in (live, tried)] == [200, 404]


def test_an_episode_shows_its_emails_down_to_the_record(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    episode = add_episode(console, company, connection, "ada")
    add_email(console, company, episode)
    add_email(console, company, episode, step=2, state="unknown", reason="the connection was cut after DATA")
    page = company.browser.get(f"/dunning/{episode}").text
    for text in (
        "Your payment did not go through",
        "ada@customers.example",
        "Its rule: day 0",
        "stripe.invoice.raw.v1/3/17",
        "the connection was cut after DATA",
        "Day 3 after the first failure",
        "A-17",
        "Unpaid, expired card",
    ):
        assert text in page


def test_a_person_decides_what_an_episode_and_an_email_allow(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    episode = add_episode(console, company, connection, "ada", state="proposed")
    add_email(console, company, episode, state="unknown")
    path = f"/dunning/{episode}"
    assert company.browser.send(path, path, {"act": "start"}).status_code == 303
    assert company.browser.send(path, path, {"act": "resend", "step": "1"}).status_code == 303
    assert company.browser.send(path, path, {"act": "release"}).status_code == 409
    assert company.browser.send(path, path, {"act": "resend", "step": "2"}).status_code == 409
    assert company.browser.post(path, data={"act": "skip"}).status_code == 403
    ((of, detail, _),) = decided(console, company, "dunning.start")
    assert (of, detail) == (connection, {"customer_id": "ada"})
    ((_, resent, _),) = decided(console, company, "dunning.resend")
    assert resent == {"customer_id": "ada", "episode_id": episode, "step": 1}
    assert decided(console, company, "dunning.release") == decided(console, company, "dunning.skip") == []


def test_episodes_of_another_workspace_do_not_exist(console: RunningConsole, company: Company) -> None:
    other = console.company("Other")
    theirs = add_episode(console, other, connected(console, other), "grace")
    by_hand = add_episode(console, other, None, "hopper")
    connected(console, company)
    for path in ("/dunning", "/dunning?show=held", "/"):
        page = company.browser.get(path).text
        assert "grace" not in page
        assert "hopper" not in page
    assert company.browser.get(f"/dunning/{theirs}").status_code == 404
    assert company.browser.get(f"/dunning/{by_hand}").status_code == 404
    assert company.browser.send("/dunning", f"/dunning/{theirs}", {"act": "stop"}).status_code == 404


def test_without_anything_to_show_the_page_says_what_will_be(console: RunningConsole, company: Company) -> None:
    assert 'href="/settings/integrations">Connect Stripe' in company.browser.get("/dunning").text
    connected(console, company)
    page = company.browser.get("/dunning").text
    for text in ("No payment is being chased", "Sending is off"):
        assert text in page
    assert 'id="panel-recovered"' not in company.browser.get("/").text
    assert company.browser.get("/dunning?show=nonsense").status_code == 422
    assert company.browser.get("/dunning/%00").status_code == 404


def test_dunning_that_was_never_started_is_told(own_console: RunningConsole) -> None:
    own_console.start()
    company = own_console.company()
    connected(own_console, company)
    own_console.rows("DROP VIEW analytics.dunning_episodes, analytics.dunning_emails, analytics.dunning_recovery")
    page = company.browser.get("/dunning")
    assert page.status_code == 200
    assert "dunning</span> has been started once" in page.text
    assert company.browser.get("/").status_code == 200


def test_one_click_unsubscribes_a_customer_without_a_session(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    path = f"/unsubscribe/{token(company, f'{connection}/ada')}"
    anybody = console.browser()
    assert "Acme" in anybody.get(path).text
    assert decided(console, company, "dunning.suppress") == []
    answer = anybody.post(path, content="List-Unsubscribe=One-Click")
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    ((of, detail, by),) = decided(console, company, "dunning.suppress")
    assert (of, detail, by) == (connection, {"customer_id": "ada", "reason": "unsubscribed"}, "customer")
    _, record = read_topic(console.broker, CONTROL_DECISION, 2, subject=company.workspace_id)
    assert json.loads(record.value)["detail"] == detail


def test_a_link_that_is_used_again_decides_nothing_again_unless_it_was_taken_back(
    console: RunningConsole, company: Company
) -> None:
    connection = connected(console, company)
    path = f"/unsubscribe/{token(company, f'{connection}/ada')}"
    for _ in range(3):
        assert "You are unsubscribed" in console.browser().post(path).text
    assert len(decided(console, company, "dunning.suppress")) == 1
    lifted = {"kind": "dunning.suppress", "detail": {"customer_id": "ada", "lifted": True}, "connection_id": connection}
    assert console.operator.post("/api/decisions", json=lifted | {"workspace": company.workspace_id}).status_code == 201
    assert console.browser().post(path).status_code == 200
    assert len(decided(console, company, "dunning.suppress")) == 3


def test_a_user_without_stripe_unsubscribes_as_well(console: RunningConsole, company: Company) -> None:
    path = f"/unsubscribe/{token(company, f'{company.workspace_id}/u/7')}"
    assert console.browser().post(path).status_code == 200
    ((of, detail, _),) = decided(console, company, "dunning.suppress")
    assert (of, detail) == (None, {"user_id": "u/7", "reason": "unsubscribed"})


def test_a_link_that_was_made_up_unsubscribes_nobody(console: RunningConsole, company: Company) -> None:
    subject = f"{connected(console, company)}/ada"
    theirs = sign(UNSUBSCRIBE_KEY, UNSUBSCRIBE, (console.company("Other").workspace_id, subject))
    other_key = sign(b"other", UNSUBSCRIBE, (company.workspace_id, subject))
    other_purpose = sign(UNSUBSCRIBE_KEY, "other", (company.workspace_id, subject))
    for forged in (token(company, subject)[:-1], other_key, other_purpose, "x", theirs):
        assert console.browser().post(f"/unsubscribe/{forged}").status_code == 404
    assert decided(console, company, "dunning.suppress") == []
