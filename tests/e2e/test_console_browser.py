"""The main job, as a founder does it: a browser, a key, and within a minute the numbers of the account."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from schemas.money import format_amount
from tests.fixtures.browser import OPTIONS
from tests.fixtures.system import RunningDropFix, SimulatedStripe, Time

FOUNDED = datetime(2026, 3, 16, 9, tzinfo=UTC)
FIRST_MINUTE_MS = 60_000
PASSWORD = "correct horse battery staple"
PHONE_WIDTH = 390


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[SimulatedStripe]:
    """An account with a company of 400 customers."""
    moment = Time(tmp_path / "clock.json")
    moment.set(FOUNDED)
    with SimulatedStripe.running(tmp_path, time=moment, customers=400) as simulated:
        yield simulated


@pytest.fixture
def dropfix(stripe: SimulatedStripe, tmp_path: Path) -> Iterator[RunningDropFix]:
    """DropFix as `dropfix run` starts it, with nobody in it."""
    environment = {"STRIPE_API_BASE": stripe.address, "DROPFIX_CLOCK": str(tmp_path / "clock.json")}
    running = RunningDropFix.begin(tmp_path / "data", "run", environment=environment)
    try:
        yield running.wait_started()
    finally:
        running.stop()


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        yield started
        started.close()


def test_a_founder_connects_stripe_and_sees_the_truth_within_a_minute(
    dropfix: RunningDropFix, stripe: SimulatedStripe, browser: Browser
) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    set_up(page, dropfix)
    refused_then_connected(page, stripe.keys["full"])
    connected_at = time.monotonic()
    page.get_by_role("link", name="Overview", exact=True).click()

    truth = stripe.truth()
    figure = page.get_by_role("region", name="Key figures")
    left = FIRST_MINUTE_MS - (time.monotonic() - connected_at) * 1000
    expect(figure.get_by_text(f"{truth['customers']:,}", exact=True)).to_be_visible(timeout=left)
    for currency, mrr in truth["mrr"].items():
        left = max(1.0, FIRST_MINUTE_MS - (time.monotonic() - connected_at) * 1000)
        expect(figure.get_by_text(format_amount(mrr, currency), exact=True)).to_be_visible(timeout=left)
    for code, title in (("payment_failed", "Payment failed"), ("subscription_lapsed", "Subscription lapsed")):
        left = max(1.0, FIRST_MINUTE_MS - (time.monotonic() - connected_at) * 1000)
        wanted = f"{len(truth['signals'][code]):,} in the last 30 days"
        expect(page.get_by_role("region", name=title).get_by_text(wanted)).to_be_visible(timeout=left)
        assert listed(page, code) == Counter(signal["customer"] for signal in truth["signals"][code])

    for path in ("/", "/customers", "/signals", "/dunning", "/settings/integrations", "/settings/tracking"):
        fits_a_phone(page, dropfix, path)
    disconnected(page, dropfix)
    assert faults == []


def set_up(page: Page, dropfix: RunningDropFix) -> None:
    """The first-run link, as `dropfix run` prints it."""
    page.goto((dropfix.root / "secrets" / "first_run_link").read_text().strip())
    page.get_by_label("Company").fill("Acme")
    page.get_by_label("Your e-mail address").fill("ada@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the workspace").click()
    expect(page.get_by_role("heading", name="Stripe", exact=True)).to_be_visible()


def refused_then_connected(page: Page, key: str) -> None:
    """A key that cannot work first, then the right one; the page never shows either."""
    page.get_by_label("Restricted key").fill("pk_test_51PgC6tB7WZ01zgkW")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_contain_text("That is a publishable key.")
    expect(page.get_by_label("Restricted key")).to_have_value("")
    page.get_by_label("Restricted key").fill(f" {key} ")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("…" + key[-4:])).to_be_visible()
    assert key not in page.content()


def listed(page: Page, code: str) -> Counter[str]:
    """The customers of the list behind a number, how often each, read page by page."""
    where, found = page.url, []
    page.goto(f"{where.rstrip('/')}/signals?show=recent&code={code}")
    while True:
        found += re.findall(r'href="/customers/(cus_\w+)"', page.content())
        following = page.get_by_role("link", name="Next page")
        if not following.count():
            page.goto(where)
            return Counter(found)
        following.click()


def fits_a_phone(page: Page, dropfix: RunningDropFix, path: str) -> None:
    """Nothing of the page lies beyond the right edge of a phone."""
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    page.goto(dropfix.addresses["console"] + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH, path
    page.set_viewport_size({"width": 1280, "height": 900})


def disconnected(page: Page, dropfix: RunningDropFix) -> None:
    page.goto(f"{dropfix.addresses['console']}/settings/integrations")
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Connect an account")).to_be_visible()
    assert dropfix.rows("SELECT state, sealed_key FROM control.connections") == [("ended", None)]
