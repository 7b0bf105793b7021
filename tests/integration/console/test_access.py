"""Who gets in: the first run, signing in and out, forms, limits, headers."""

import httpx
import pytest

from tests.integration.console.conftest import PASSWORD, STRIPE_KEY, Company, RunningConsole

PAGES = ("/", "/customers", "/signals", "/settings/integrations", "/settings/integrations/stripe", "/settings/tracking")


def set_up(console: RunningConsole, link: str, **fields: str) -> int:
    sent = {"workspace": "Acme", "email": "ada@example.com", "password": PASSWORD, "token": link.partition("=")[2]}
    return console.browser().send(link, "/first-run", sent | fields).status_code


def test_the_first_run_makes_the_first_member_once(own_console: RunningConsole) -> None:
    own_console.start()
    link = own_console.first_run_link
    assert link in own_console.log
    assert set_up(own_console, link) == 303
    assert own_console.browser().sign_in("ada@example.com").status_code == 303
    again = own_console.browser().get(link)
    assert again.status_code == 410
    assert "used already" in again.text
    assert not (own_console.folder / "first-run").exists()


def test_a_first_run_that_is_refused_says_why_and_can_be_tried_again(own_console: RunningConsole) -> None:
    own_console.start()
    link = own_console.first_run_link
    assert set_up(own_console, link, password="short") == 422
    assert set_up(own_console, link, email="not an address") == 422
    assert set_up(own_console, link, workspace=" ") == 422
    assert set_up(own_console, link) == 303


def test_a_first_run_token_that_was_made_up_opens_nothing(own_console: RunningConsole) -> None:
    own_console.start()
    assert own_console.browser().get("/first-run?token=made-up").status_code == 410
    assert own_console.rows("SELECT count(*) FROM control.workspaces") == [(0,)]


def test_a_console_with_members_offers_no_first_run(own_console: RunningConsole) -> None:
    own_console.start()
    own_console.company()
    assert own_console.stop() == 0
    own_console.start()
    assert not (own_console.folder / "first-run").exists()
    assert own_console.rows("SELECT count(*) FROM control.links") == [(0,)]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_opens_without_a_session(console: RunningConsole, page: str) -> None:
    answer = console.browser().get(page)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_signing_in_needs_the_right_password(console: RunningConsole, company: Company) -> None:
    wrong = console.browser().sign_in(company.email, "wrong password")
    nobody = console.browser().sign_in("nobody@example.com", PASSWORD)
    assert wrong.status_code == nobody.status_code == 401
    assert "session" not in str(wrong.headers.get("set-cookie"))
    assert "The e-mail address or the password is wrong." in wrong.text
    assert "The e-mail address or the password is wrong." in nobody.text


def test_signing_out_ends_the_session_itself(console: RunningConsole, company: Company) -> None:
    cookies = dict(company.browser.client.cookies)
    assert company.browser.send("/", "/sign-out", {}).status_code == 303
    stolen = console.browser()
    stolen.client.cookies.update(cookies)
    assert stolen.get("/").status_code == 303


def test_a_session_ends_by_itself(console: RunningConsole, company: Company) -> None:
    console.rows("UPDATE control.sessions SET expires_at = now() WHERE workspace_id = %s", company.workspace_id)
    assert company.browser.get("/").headers["location"] == "/sign-in"


def test_tries_to_sign_in_are_limited(console: RunningConsole, company: Company) -> None:
    browser = console.browser()
    answers = [browser.sign_in(company.email, "wrong password") for _ in range(12)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert browser.sign_in(company.email).status_code == 429


def test_a_form_without_the_pages_token_does_nothing(console: RunningConsole, company: Company) -> None:
    other = console.company()
    path = "/settings/integrations/stripe"
    stolen = other.browser.form_token("/settings/integrations")
    for token in ("", "made up", stolen):
        answer = company.browser.post(path, data={"form_token": token, "key": STRIPE_KEY})
        assert answer.status_code == 403
    assert console.connections(company) == []


def test_a_form_that_another_site_sends_does_nothing(console: RunningConsole, company: Company) -> None:
    token = company.browser.form_token("/settings/integrations")
    answer = company.browser.post(
        "/settings/integrations/stripe",
        data={"form_token": token, "key": STRIPE_KEY},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


def test_every_answer_carries_the_security_headers(console: RunningConsole, company: Company) -> None:
    for path in (*PAGES, "/nothing", "/sign-in", "/static/console.css", "/v1/track"):
        headers = company.browser.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_hold_no_script_or_style_that_the_policy_would_refuse(console: RunningConsole, company: Company) -> None:
    for path in PAGES:
        page = company.browser.get(path).text
        assert "<script>" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_cookies_are_out_of_reach_of_scripts_and_secure_behind_https(own_console: RunningConsole) -> None:
    own_console.environment["DROPFIX_PUBLIC_URL"] = "https://dropfix.example.com"
    own_console.start()
    cookie = own_console.browser().get("/sign-in").headers["set-cookie"]
    assert cookie.startswith("__Host-dropfix_form=")
    assert {"HttpOnly", "Secure", "SameSite=lax"} <= set(cookie.split("; "))
    assert "https://dropfix.example.com/first-run?token=" in (own_console.folder / "first-run").read_text()


def test_the_database_holds_no_password_token_or_key_that_works(console: RunningConsole, company: Company) -> None:
    company.browser.connect(STRIPE_KEY)
    session = next(iter(company.browser.client.cookies.values()))
    tables = console.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'control'")
    dump = "\n".join(str(row) for (table,) in tables for row in console.rows(f"SELECT t::text FROM control.{table} t"))
    for secret in (PASSWORD, session, company.write_key, STRIPE_KEY, STRIPE_KEY[12:30]):
        assert secret not in dump
        assert secret.encode().hex() not in dump


def test_a_sign_in_link_works_once_and_only_when_its_button_is_pressed(
    console: RunningConsole, company: Company
) -> None:
    url = console.operator.post("/api/sign_in_link", json={"email": company.email}).json()["url"]
    path = url.removeprefix(console.address)
    browser = console.browser()
    assert browser.get(path).status_code == 200
    assert browser.get("/").status_code == 303
    token = {"token": path.partition("=")[2]}
    assert browser.send(path, "/sign-in/link", token).status_code == 303
    assert browser.get("/").status_code == 200
    assert console.browser().get(path).status_code == 410


def test_a_body_beyond_all_measure_is_refused_unread(console: RunningConsole) -> None:
    answer = console.browser().post("/sign-in", content=b"x" * 700_000)
    assert answer.status_code == 413


def test_health_is_not_for_those_who_come_through_a_proxy(console: RunningConsole) -> None:
    assert httpx.get(f"{console.address}/healthz").json()["service"] == "console"
    assert "dropfix_ready 1.0" in httpx.get(f"{console.address}/metrics").text
    assert console.browser().get("/metrics").status_code == 404


def test_an_address_that_a_stranger_claims_does_not_widen_the_limit(own_console: RunningConsole) -> None:
    own_console.environment["DROPFIX_TRUSTED_PROXIES"] = ""
    own_console.start()
    company = own_console.company()
    answers = [own_console.browser().sign_in(f"{number}@example.com", "wrong password") for number in range(10)]
    assert answers[-1].status_code == 429
    assert company.browser.get("/").status_code == 200
