"""Connecting a Stripe account and letting it go."""

import threading

import psycopg
import pytest

from runtime.errors import VaultError
from schemas.catalogue import CONTROL_DECISION
from schemas.events.control import Decision
from tests.integration.console.conftest import STRIPE_KEY, Company, RunningConsole
from tests.integration.console.reading import read_topic

PERMISSIONS = ("customer", "subscription", "invoice", "charge", "payment_intent", "dispute")


@pytest.fixture
def company(console: RunningConsole) -> Company:
    return console.company()


def stored(console: RunningConsole) -> tuple[str, bytes | None, str, str]:
    """(id, sealed key, hint, state) of the newest connection."""
    return console.rows(
        "SELECT connection_id, sealed_key, key_hint, state FROM control.connections ORDER BY submitted_at DESC LIMIT 1"
    )[0]  # type: ignore[return-value]


def test_a_key_is_sealed_to_the_poller_and_bound_to_its_connection(console: RunningConsole, company: Company) -> None:
    assert company.browser.connect(f"  {STRIPE_KEY}\n").status_code == 303
    connection_id, sealed, hint, state = stored(console)
    assert sealed is not None
    assert (hint, state) == ("rk_test_…4f2a", "submitted")
    assert console.keyring.open(sealed, associated=f"stripe_key:{connection_id}".encode()).decode() == STRIPE_KEY
    with pytest.raises(VaultError):
        console.keyring.open(sealed, associated=b"stripe_key:con_another")


def test_whoever_waits_for_connections_hears_of_one_at_once(console: RunningConsole, company: Company) -> None:
    heard: list[str] = []
    listening = threading.Event()

    def listen() -> None:
        with psycopg.connect(console.admin_url, autocommit=True) as db:
            db.execute("LISTEN dropfix_connections")
            listening.set()
            heard.extend(note.payload for note in db.notifies(timeout=10, stop_after=1))

    listener = threading.Thread(target=listen)
    listener.start()
    assert listening.wait(10)
    company.browser.connect(STRIPE_KEY)
    listener.join()
    assert heard == [stored(console)[0]]


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
    assert console.rows("SELECT count(*) FROM control.connections") == [(0,)]


def test_a_secret_key_works_with_a_warning(console: RunningConsole, company: Company) -> None:
    assert company.browser.connect(STRIPE_KEY.replace("rk_", "sk_")).status_code == 303
    assert "A restricted key is safer" in company.browser.get("/settings/integrations").text


def test_no_answer_page_or_log_ever_holds_a_pasted_key(console: RunningConsole, company: Company) -> None:
    operator, secret = console.operator, STRIPE_KEY[8:]
    answers = [
        company.browser.connect(STRIPE_KEY),
        company.browser.connect(f"pk_live_{secret}"),
        company.browser.connect(f"rk_live_{secret} and more"),
        company.browser.get(f"/settings/integrations?key={STRIPE_KEY}"),
        company.browser.get(f"/customers?q={STRIPE_KEY[:30]}"),
        operator.post("/api/stripe/connect", json={"key": STRIPE_KEY}),
        operator.post("/api/stripe/connect", json={"key": [STRIPE_KEY]}),
        operator.post("/api/stripe/connect", json={"key": f"whsec_{secret}"}),
        operator.post("/api/stripe/connect", content=STRIPE_KEY),
        operator.get("/api/stripe/status"),
        company.browser.get("/settings/integrations"),
        company.browser.get("/"),
    ]
    for answer in answers:
        assert secret not in answer.text
        assert secret not in str(answer.headers)
    assert secret not in console.log


def test_disconnecting_deletes_the_ciphertext_in_the_same_request(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    connection_id, sealed, _, _ = stored(console)
    assert sealed
    page = f"/settings/integrations/stripe/{connection_id}/disconnect"
    assert "deleted at once" in company.browser.get(page).text
    assert company.browser.send(page, page, {}).status_code == 303
    assert stored(console)[1:] == (None, "rk_test_…4f2a", "ended")
    assert connection_id not in company.browser.get("/settings/integrations").text
    assert company.browser.post(page, data={}).status_code == 403
    assert company.browser.get(page).status_code == 404


def test_what_was_decided_is_in_the_log_and_in_its_image(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    connection_id = stored(console)[0]
    page = f"/settings/integrations/stripe/{connection_id}/disconnect"
    company.browser.send(page, page, {})
    records = read_topic(console.broker, CONTROL_DECISION, 2)
    decisions = [Decision.model_validate_json(record.value) for record in records]
    assert [(each.kind, each.connection_id) for each in decisions] == [
        ("connection.made", connection_id),
        ("connection.ended", connection_id),
    ]
    assert {record.headers["ce_partitionkey"] for record in records} == {company.workspace_id}
    image = console.rows("SELECT decision_id, kind FROM control.decisions ORDER BY decision_id")
    assert image == [(each.decision_id, each.kind) for each in decisions]
    assert all(each.decided_by.startswith("mem_") for each in decisions)
    assert b"4f2a" not in b"".join(record.value for record in records)


def test_a_decision_outlives_a_console_that_is_killed(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    console.stop(9)  # type: ignore[arg-type]
    console.start()
    (record, *_) = read_topic(console.broker, CONTROL_DECISION, 1)
    assert Decision.model_validate_json(record.value).kind == "connection.made"


def test_without_a_poller_the_card_says_so_after_five_seconds(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    assert "Handing the key over" in company.browser.get("/settings/integrations").text
    console.rows("UPDATE control.connections SET submitted_at = submitted_at - interval '5 seconds'")
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
    states = dict(console.rows("SELECT connection_id, state FROM control.connections"))  # type: ignore[arg-type]
    assert states.pop(refused) == "ended"
    assert list(states.values()) == ["submitted"]
    assert console.rows("SELECT sealed_key FROM control.connections WHERE connection_id = %s", refused) == [(None,)]


def test_a_key_for_an_account_that_is_there_goes_to_its_connection(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    old = stored(console)[0]
    company.browser.connect(STRIPE_KEY.replace("4f2a", "9z9z"))
    new = stored(console)[0]
    adopted = "SET ROLE dropfix_poller; SELECT control.adopt_connection('{}', '{}', 'resealed')"
    console.rows(adopted.format(new, old))
    rows = console.rows(
        "SELECT connection_id, sealed_key, key_hint, state, adopted_by FROM control.connections ORDER BY state"
    )
    assert rows == [
        (new, None, "rk_test_…9z9z", "retired", old),
        (old, b"resealed", "rk_test_…9z9z", "submitted", None),
    ]
    status = console.operator.get(f"/api/stripe/status?connection_id={new}").json()
    assert status["connections"][0]["connection_id"] == old


def test_a_key_is_never_handed_to_another_workspace(console: RunningConsole, company: Company) -> None:
    other = console.company()
    company.browser.connect(STRIPE_KEY)
    mine = stored(console)[0]
    other.browser.connect(STRIPE_KEY)
    theirs = stored(console)[0]
    (answer,) = console.rows("SELECT control.adopt_connection(%s, %s, 'resealed')", theirs, mine)
    assert answer == (False,)
    assert console.rows("SELECT count(*) FROM control.connections WHERE state = 'submitted'") == [(2,)]


def test_the_poller_reads_connections_and_changes_none_by_itself(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    with psycopg.connect(console.admin_url, autocommit=True) as db:
        db.execute("SET ROLE dropfix_poller")
        assert db.execute("SELECT count(*) FROM control.connections").fetchone() == (1,)
        for forbidden in (
            "UPDATE control.connections SET sealed_key = NULL",
            "SELECT * FROM control.members",
            "SELECT * FROM control.sessions",
            "DELETE FROM control.connections",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(forbidden)  # type: ignore[arg-type]


def test_a_secret_is_seen_by_the_role_that_it_is_sealed_to(console: RunningConsole, company: Company) -> None:
    for role in ("dropfix_poller", "dropfix_mirror"):
        console.add(
            "control.secrets",
            secret_id=role,
            workspace_id=company.workspace_id,
            name=role,
            sealed_to=role,
            sealed=b"sealed",
            key_id="k",
            created_at="2026-11-24T12:00:00Z",
        )
    with psycopg.connect(console.admin_url, autocommit=True) as db:
        db.execute("SET ROLE dropfix_poller")
        assert db.execute("SELECT secret_id FROM control.secrets").fetchall() == [("dropfix_poller",)]


def test_the_operator_connects_looks_and_disconnects(console: RunningConsole, company: Company) -> None:
    operator = console.operator
    made = operator.post("/api/stripe/connect", json={"key": STRIPE_KEY})
    assert made.status_code == 202
    connection_id = made.json()["connection_id"]
    assert made.json()["livemode"] is False
    console.poller_says(company, "first_minute", progress={"percent": 20, "customers": {"done": 5, "total": 10}})
    (status,) = operator.get("/api/stripe/status").json()["connections"]
    assert (status["state"], status["percent"]) == ("first_minute", 20)
    assert status["steps"] == [{"label": "Customers", "done": 5, "total": 10, "complete": False}]
    ended = operator.post("/api/stripe/disconnect", json={"connection_id": connection_id})
    assert ended.json() == {"connection_id": connection_id, "state": "ended"}
    again = operator.post("/api/stripe/disconnect", json={"connection_id": connection_id})
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
    assert operator.post("/api/stripe/connect", json={"key": STRIPE_KEY, "workspace": "Northwind"}).status_code == 202
    assert console.rows("SELECT workspace_id FROM control.connections") == [(other.workspace_id,)]


def test_a_setup_that_was_done_is_not_done_again(console: RunningConsole, company: Company) -> None:
    wanted = {"workspace": "Acme", "email": company.email, "password": "another password"}
    answer = console.operator.post("/api/setup", json=wanted)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_set_up")
    assert console.rows("SELECT count(*) FROM control.workspaces") == [(1,)]
