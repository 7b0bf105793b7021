"""Connecting a Stripe account and letting it go."""

import html
import signal
import threading
from typing import LiteralString

import psycopg
import pytest

from runtime.errors import VaultError
from schemas.catalogue import CONTROL_DECISION
from schemas.events.control import Decision
from schemas.stripe.keys import create_key_url
from tests.integration.console.conftest import STRIPE_KEY, Company, RunningConsole, Stored
from tests.integration.console.reading import read_topic

PERMISSIONS = ("customer", "subscription", "invoice", "charge", "payment_intent", "dispute")


def test_a_key_is_sealed_to_the_poller_and_bound_to_its_connection(console: RunningConsole, company: Company) -> None:
    assert company.browser.connect(f"  {STRIPE_KEY}\n").status_code == 303
    (stored,) = console.connections(company)
    assert stored.sealed_key is not None
    assert (stored.key_hint, stored.state) == ("rk_test_…4f2a", "submitted")
    associated = f"stripe_key:{stored.connection_id}".encode()
    assert console.keyring.open(stored.sealed_key, associated=associated).decode() == STRIPE_KEY
    with pytest.raises(VaultError):
        console.keyring.open(stored.sealed_key, associated=b"stripe_key:con_another")


def test_whoever_waits_for_connections_hears_of_one_at_once(console: RunningConsole, company: Company) -> None:
    heard: list[str] = []
    listening = threading.Event()

    def listen() -> None:
        with psycopg.connect(console.admin_url, autocommit=True) as db:
            db.execute("LISTEN dropfix_connections")
            listening.set()
            heard.extend(note.payload for note in db.notifies(timeout=3))

    listener = threading.Thread(target=listen)
    listener.start()
    assert listening.wait(10)
    company.browser.connect(STRIPE_KEY)
    listener.join()
    assert console.connections(company)[0].connection_id in heard


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("pk_live_51PgC6tSecretSecretSecret", "publishable key"),
        ("whsec_51PgC6tSecretSecretSecret", "webhook signing secret"),
        ("sk_org_live_51PgC6tSecretSecretSecret", "organization key"),
        ("rkcs_test_51PgC6tSecretSecretSecret", "temporary sandbox"),
        ("SecretSecretSecret", "does not look like a Stripe key"),
    ],
)
def test_a_key_that_cannot_work_is_refused_with_the_reason_and_not_repeated(
    console: RunningConsole, company: Company, key: str, says: str
) -> None:
    answer = company.browser.connect(key)
    assert answer.status_code == 422
    assert says in answer.text
    assert "SecretSecretSecret" not in answer.text
    assert console.connections(company) == []


def test_a_secret_key_works_with_a_warning(console: RunningConsole, company: Company) -> None:
    assert company.browser.connect(STRIPE_KEY.replace("rk_", "sk_")).status_code == 303
    page = html.unescape(company.browser.get("/settings/integrations").text)
    assert page.count("a restricted key is safer") == 1
    assert f'href="{create_key_url(test=True)}"' in page
    assert page.index("a restricted key is safer") < page.index("Create a restricted key in Stripe")


def test_no_answer_page_or_log_ever_holds_a_pasted_key(console: RunningConsole, company: Company) -> None:
    operator, secret = console.operator, STRIPE_KEY[8:]
    answers = [
        company.browser.connect(STRIPE_KEY),
        company.browser.connect(f"pk_live_{secret}"),
        company.browser.connect(f"rk_live_{secret} and more"),
        company.browser.get(f"/settings/integrations?key={STRIPE_KEY}"),
        company.browser.get(f"/customers?q={STRIPE_KEY[:30]}"),
        operator.post("/api/stripe/connect", json={"key": STRIPE_KEY, "workspace": company.workspace_id}),
        operator.post("/api/stripe/connect", json={"key": [STRIPE_KEY]}),
        operator.post("/api/stripe/connect", json={"key": f"whsec_{secret}", "workspace": company.workspace_id}),
        operator.post("/api/stripe/connect", content=STRIPE_KEY),
        operator.get(f"/api/stripe/status?workspace={company.workspace_id}"),
        company.browser.get("/settings/integrations"),
        company.browser.get("/"),
    ]
    for answer in answers:
        assert secret not in answer.text
        assert secret not in str(answer.headers)
    assert secret not in console.log


def test_disconnecting_deletes_the_ciphertext_in_the_same_request(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    (stored,) = console.connections(company)
    assert stored.sealed_key
    connection_id = stored.connection_id
    page = f"/settings/integrations/stripe/{connection_id}/disconnect"
    assert "deleted at once" in company.browser.get(page).text
    assert company.browser.send(page, page, {}).status_code == 303
    (ended,) = console.connections(company)
    assert (ended.sealed_key, ended.state) == (None, "ended")
    assert connection_id not in company.browser.get("/settings/integrations").text
    assert company.browser.post(page, data={}).status_code == 403
    assert company.browser.get(page).status_code == 404


def test_what_was_decided_is_in_the_log_and_in_its_image(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    connection_id = console.connections(company)[0].connection_id
    page = f"/settings/integrations/stripe/{connection_id}/disconnect"
    company.browser.send(page, page, {})
    records = read_topic(console.broker, CONTROL_DECISION, 2, subject=company.workspace_id)
    decisions = [Decision.model_validate_json(record.value) for record in records]
    assert [(each.kind, each.connection_id) for each in decisions] == [
        ("connection.made", connection_id),
        ("connection.ended", connection_id),
    ]
    image = console.rows(
        "SELECT decision_id, kind FROM control.decisions WHERE workspace_id = %s ORDER BY decision_id",
        company.workspace_id,
    )
    assert image == [(each.decision_id, each.kind) for each in decisions]
    assert all(each.decided_by.startswith("mem_") for each in decisions)
    assert b"4f2a" not in b"".join(record.value for record in records)


def test_a_decision_outlives_a_console_that_is_killed(own_console: RunningConsole) -> None:
    own_console.start()
    company = own_console.company()
    company.browser.connect(STRIPE_KEY)
    own_console.stop(signal.SIGKILL)
    own_console.start()
    (record, *_) = read_topic(own_console.broker, CONTROL_DECISION, 1, subject=company.workspace_id)
    assert Decision.model_validate_json(record.value).kind == "connection.made"


def test_without_a_poller_the_card_says_so_after_five_seconds(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    assert "Handing the key over" in company.browser.get("/settings/integrations").text
    console.rows(
        "UPDATE control.connections SET submitted_at = submitted_at - interval '5 seconds' WHERE workspace_id = %s",
        company.workspace_id,
    )
    assert "No poller is running" in company.browser.get("/settings/integrations").text


def test_the_card_names_what_is_missing_and_what_does_not_work(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    granted = dict.fromkeys(PERMISSIONS, "granted")
    console.poller_says(
        company,
        "live",
        permissions=granted | {"invoice": "missing", "dispute": "missing"},
        account_name="Northwind, Inc.",
        reads_used=1284,
        reads_allowed=10_000,
    )
    page = company.browser.get("/settings/integrations").text
    for text in ("Connected", "Northwind, Inc.", "1 permission missing", "Invoices", "1,284 of 10,000"):
        assert text in page
    assert "You get no warning" not in page
    assert "you get no warning when a customer disputes a charge" in page


def test_a_refused_key_is_told_and_ends_with_the_next_try(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    refused = console.poller_says(company, "refused", reason="Stripe does not accept the key.", remedy="Try another.")
    page = company.browser.get("/settings/integrations").text
    assert "Stripe does not accept the key. Try another." in page
    company.browser.connect(STRIPE_KEY)
    newest, ended = console.connections(company)
    assert newest.state == "submitted"
    assert (ended.connection_id, ended.state, ended.sealed_key) == (refused, "ended", None)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ({"reason": "Nothing answers there.", "last_error": "Nothing answers there."}, True),
        ({}, False),
        ({"last_error": "Nothing answers there.", "permissions": {"customer": "granted"}}, False),
    ],
    ids=["never checked", "being checked", "checked before"],
)
def test_a_key_that_could_never_be_checked_ends_with_the_next_try(
    console: RunningConsole, company: Company, said: dict[str, object], ends: bool
) -> None:
    company.browser.connect(STRIPE_KEY)
    first = console.poller_says(company, "validating", **said)
    if ends:
        page = company.browser.get("/settings/integrations").text
        assert "The key could not be checked yet" in page
        assert "another key takes its place, or Disconnect removes it" in page
    company.browser.connect(STRIPE_KEY)
    states = {stored.connection_id: stored.state for stored in console.connections(company)}
    assert states[first] == ("ended" if ends else "submitted")


def test_a_valid_key_that_may_read_nothing_is_not_said_to_be_refused_by_stripe(
    console: RunningConsole, company: Company
) -> None:
    company.browser.connect(STRIPE_KEY)
    console.poller_says(
        company, "refused", reason="The key is valid.", permissions=dict.fromkeys(PERMISSIONS, "missing")
    )
    page = company.browser.get("/settings/integrations").text
    assert "This key may not read anything yet" in page
    assert "then paste it again" in page


def test_a_key_for_an_account_that_is_there_goes_to_its_connection(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    company.browser.connect(STRIPE_KEY.replace("4f2a", "9z9z"))
    new, old = (stored.connection_id for stored in console.connections(company))
    assert adopt(console, new, old)
    retired, present = console.connections(company)
    if retired.connection_id != new:
        retired, present = present, retired
    assert retired == Stored(new, None, "rk_test_…9z9z", "retired", old)
    assert present == Stored(old, b"resealed", "rk_test_…9z9z", "submitted", None)
    status = console.operator.get(f"/api/stripe/status?workspace={company.workspace_id}&connection_id={new}").json()
    assert status["connections"][0]["connection_id"] == old


def test_with_a_connection_ends_whatever_was_handed_over_to_it(console: RunningConsole, company: Company) -> None:
    """Whoever goes by the log alone would take the other id for an account that is still connected."""
    company.browser.connect(STRIPE_KEY)
    company.browser.connect(STRIPE_KEY.replace("4f2a", "9z9z"))
    new, old = (stored.connection_id for stored in console.connections(company))
    assert adopt(console, new, old)
    page = f"/settings/integrations/stripe/{old}/disconnect"
    company.browser.send(page, page, {})
    ended = console.rows(
        "SELECT connection_id, detail ->> 'reason' FROM control.decisions WHERE workspace_id = %s AND kind = %s",
        company.workspace_id,
        "connection.ended",
    )
    assert sorted(ended) == sorted([(old, "disconnected"), (new, "handed over")])


def test_a_key_is_never_handed_to_another_workspace(console: RunningConsole, company: Company) -> None:
    other = console.company()
    company.browser.connect(STRIPE_KEY)
    other.browser.connect(STRIPE_KEY)
    mine, theirs = console.connections(company)[0], console.connections(other)[0]
    assert not adopt(console, theirs.connection_id, mine.connection_id)
    assert console.connections(company) == [mine]
    assert console.connections(other) == [theirs]


def test_a_key_is_not_handed_to_a_connection_that_ended(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    old = console.connections(company)[0].connection_id
    page = f"/settings/integrations/stripe/{old}/disconnect"
    company.browser.send(page, page, {})
    company.browser.connect(STRIPE_KEY)
    assert not adopt(console, console.connections(company)[0].connection_id, old)


def adopt(console: RunningConsole, new: str, old: str) -> bool:
    """Hand a key over as the poller does, under its role."""
    with psycopg.connect(console.admin_url, autocommit=True) as db:
        db.execute("SET ROLE dropfix_poller")
        row = db.execute("SELECT control.adopt_connection(%s, %s, 'resealed')", (new, old)).fetchone()
    assert row is not None
    return bool(row[0])


def test_the_poller_reads_connections_and_changes_none_by_itself(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    with psycopg.connect(console.admin_url, autocommit=True) as db:
        db.execute("SET ROLE dropfix_poller")
        assert db.execute("SELECT FROM control.connections").fetchone() is not None
        statements: tuple[LiteralString, ...] = (
            "UPDATE control.connections SET sealed_key = NULL",
            "SELECT * FROM control.members",
            "SELECT * FROM control.sessions",
            "DELETE FROM control.connections",
        )
        for forbidden in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(forbidden)


def test_a_secret_is_seen_by_the_role_that_it_is_sealed_to(console: RunningConsole, company: Company) -> None:
    for role in ("dropfix_poller", "dropfix_mirror"):
        console.add(
            "control.secrets",
            secret_id=f"{company.workspace_id} {role}",
            workspace_id=company.workspace_id,
            name=role,
            sealed_to=role,
            sealed=b"sealed",
            key_id="k",
            created_at="2026-11-24T12:00:00Z",
        )
    with psycopg.connect(console.admin_url, autocommit=True) as db:
        db.execute("SET ROLE dropfix_poller")
        found = db.execute("SELECT name FROM control.secrets WHERE workspace_id = %s", (company.workspace_id,))
        assert found.fetchall() == [("dropfix_poller",)]


def test_the_operator_connects_looks_and_disconnects(console: RunningConsole, company: Company) -> None:
    operator = console.operator
    workspace = company.workspace_id
    made = operator.post("/api/stripe/connect", json={"key": STRIPE_KEY, "workspace": workspace})
    assert made.status_code == 202
    connection_id = made.json()["connection_id"]
    assert made.json()["livemode"] is False
    console.poller_says(company, "first_minute", progress={"percent": 20, "customers": {"done": 5, "total": 10}})
    (status,) = operator.get(f"/api/stripe/status?workspace={workspace}").json()["connections"]
    assert (status["state"], status["percent"]) == ("first_minute", 20)
    assert status["steps"] == [{"label": "Customers", "done": 5, "total": 10, "complete": False}]
    ended = operator.post("/api/stripe/disconnect", json={"connection_id": connection_id, "workspace": workspace})
    assert ended.json() == {"connection_id": connection_id, "state": "ended"}
    again = operator.post("/api/stripe/disconnect", json={"connection_id": connection_id, "workspace": workspace})
    assert (again.status_code, again.json()["error"]["code"]) == (404, "no_connection")


def test_the_operator_needs_the_token(console: RunningConsole, company: Company) -> None:
    for headers in ({}, {"Authorization": "Bearer made up"}, {"Authorization": "Basic x"}):
        answer = console.browser(**headers).get("/api/overview")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "wrong_token")
    assert company.browser.get("/api/overview").status_code == 401
    assert (console.folder / "operator").stat().st_mode & 0o077 == 0


def test_the_operator_must_say_which_of_two_workspaces(console: RunningConsole, company: Company) -> None:
    other = console.company("Northwind")
    operator = console.operator
    unclear = operator.post("/api/stripe/connect", json={"key": STRIPE_KEY})
    assert unclear.json()["error"]["code"] == "which_workspace"
    clear = operator.post("/api/stripe/connect", json={"key": STRIPE_KEY, "workspace": "Northwind"})
    assert clear.status_code == 202
    assert (len(console.connections(company)), len(console.connections(other))) == (0, 1)


def test_a_setup_that_was_done_is_not_done_again(console: RunningConsole, company: Company) -> None:
    before = console.rows("SELECT count(*) FROM control.members")
    wanted = {"workspace": "Acme", "email": company.email, "password": "another password"}
    answer = console.operator.post("/api/setup", json=wanted)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_set_up")
    assert console.rows("SELECT count(*) FROM control.members") == before
