"""Settings → Recovery → Emails: what each says, in the company's words or the usual ones; a change is a decision."""

from typing import Any

import pytest

from schemas.events.dunning_texts import USUAL_TEXTS
from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.test_recovery_settings import decided, save

PAGE = "/settings/recovery/emails"
ONE = f"{PAGE}/retry/first"
WORDS = {"subject": "Oops, {company}", "preview": "", "body": "Dear you,\r\n\r\n{what} <i>failed</i>.", "button": "Go"}
KEPT = {**WORDS, "body": "Dear you,\n\n{what} <i>failed</i>."}


def press(company: Company, act: str, **fields: str) -> Any:
    return company.browser.send(ONE, ONE, {"act": act, **WORDS, **fields})


def test_every_email_is_listed_and_opens_in_its_usual_words(console: RunningConsole, company: Company) -> None:
    listed = company.browser.get(PAGE).text
    for variant, tone in USUAL_TEXTS:
        assert f'href="{PAGE}/{variant}/{tone}"' in listed
        page = company.browser.get(f"{PAGE}/{variant}/{tone}")
        assert page.status_code == 200
        assert "Acme" in page.text
        assert "{next_attempt}</code>" in page.text
    assert "Yours" not in listed
    assert company.browser.get(f"{PAGE}/retry/fourth").status_code == 422


def test_words_are_kept_shown_and_taken_back(console: RunningConsole, company: Company) -> None:
    assert press(company, "save", why="friendlier").status_code == 303
    page = company.browser.get(ONE).text
    assert "a payment of $49.00 &lt;i&gt;failed&lt;/i&gt;." in page
    assert "Oops, Acme" in page
    assert "Yours" in company.browser.get(PAGE).text
    assert "1 email in your own words" in company.browser.get("/settings/recovery").text
    assert press(company, "save").status_code == 303
    assert press(company, "usual").status_code == 303
    assert "Oops" not in company.browser.get(ONE).text
    which = {"variant": "retry", "tone": "first"}
    assert decided(console, company) == [("dunning.text", {**which, "text": KEPT}), ("dunning.text", which)]


def test_the_usual_words_are_nobodys_own(console: RunningConsole, company: Company) -> None:
    assert press(company, "save", **USUAL_TEXTS["retry", "first"].model_dump()).status_code == 303
    assert decided(console, company) == []


def test_a_preview_decides_nothing_and_loses_nothing(console: RunningConsole, company: Company) -> None:
    page = press(company, "preview")
    assert page.status_code == 200
    assert "Preview, not saved yet" in page.text
    assert "Oops, Acme" in page.text
    assert "Oops, {company}" in page.text
    assert decided(console, company) == []


@pytest.mark.parametrize("act", ["save", "preview"])
def test_what_stands_for_nothing_is_named_and_what_was_typed_stays(
    console: RunningConsole, company: Company, act: str
) -> None:
    page = press(company, act, body="Pay {amount} soon")
    assert page.status_code == 422
    assert "Body: {amount} stands for nothing here; there are {company}, {total}" in page.text
    assert "Pay {amount} soon" in page.text
    assert decided(console, company) == []


def test_an_email_is_tried_by_sending_it_to_who_asks(console: RunningConsole, company: Company) -> None:
    assert "you can have it sent to yourself" in company.browser.get(ONE).text
    save(company, "sender", address="billing@acme.example", name="Acme", reply_to="")
    assert f"goes to {company.email}, from billing@acme.example" in company.browser.get(ONE).text
    assert press(company, "test").headers["location"] == "/settings/recovery#test"
    asked = {"to": company.email, "variant": "retry", "tone": "first"}
    assert decided(console, company)[1:] == [("dunning.test_send", asked)]


def test_the_words_of_one_company_are_not_those_of_another(console: RunningConsole, company: Company) -> None:
    press(company, "save")
    assert "Oops" not in console.company("Other").browser.get(ONE).text
