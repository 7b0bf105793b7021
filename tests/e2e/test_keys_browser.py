"""What a browser shows of keys that do not work, of a wrong address, and the lists behind the numbers.

On a Kafka and a PostgreSQL that were there before, before a Stripe whose address carries a path.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from schemas.money import format_amount
from tests.fixtures.browser import OPTIONS
from tests.fixtures.system import EMAIL, PASSWORD, RunningDropFix, SimulatedStripe

PATIENCE_MS = 60_000
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A page of a phone's width, which fails the test at an error of its own scripts."""
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        shown = browser.new_page(viewport={"width": PHONE["width"], "height": PHONE["height"]})
        faults: list[str] = []
        shown.on("pageerror", lambda error: faults.append(str(error)))
        yield shown
        browser.close()
    assert faults == []


def paste(page: Page, key: str) -> None:
    """Submit a key in the card; where one is there already, its form is folded."""
    field = page.get_by_label("Restricted key")
    if not field.is_visible():
        page.get_by_text("Use another key, or connect another account").click()
    field.fill(key)
    follow(page, page.get_by_role("button", name="Connect", exact=True))
    assert key not in page.content()
    fits(page)


def follow(page: Page, link: Locator) -> None:
    with page.expect_navigation():
        link.click()


def fits(page: Page) -> None:
    """Nothing of the page lies beyond the right edge."""
    beyond = page.locator("body *").evaluate_all(
        "(all, width) => all.filter(one => one.getBoundingClientRect().right > width).map(one => one.outerHTML)",
        PHONE["width"],
    )
    scrolls = page.locator("html").evaluate("html => html.scrollWidth") > PHONE["width"]
    assert not scrolls, f"{page.url}: {[html[:120] for html in beyond]}"


def test_keys_that_cannot_work_are_explained_and_the_right_one_leads_to_lists_that_add_up(
    on_given_servers: RunningDropFix, prefixed_stripe: SimulatedStripe, page: Page
) -> None:
    on_given_servers.set_up()
    console, keys = on_given_servers.addresses["console"], prefixed_stripe.keys
    page.goto(console)
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page, page.get_by_role("button", name="Sign in"))
    follow(page, page.get_by_role("link", name="Connect Stripe"))
    for key, answer in (
        (keys["publishable"], "That is a publishable key."),
        ("whsec_5f2a9c0d7e1b", "That is a webhook signing secret."),
        ("sk_org_live_5f2a9c0d7e1b", "That is an organization key."),
        (keys["full"][:-90] + "…", "That is the shortened form"),
    ):
        paste(page, key)
        expect(page.get_by_role("alert")).to_contain_text(answer)
    paste(page, keys["revoked"])
    card = page.locator("#stripe-status")
    expect(card.get_by_role("status")).to_contain_text("This key cannot be used", timeout=PATIENCE_MS)
    paste(page, keys["full"])
    expect(card.get_by_role("status").filter(has_text="Connected")).to_be_visible(timeout=PATIENCE_MS)

    truth = prefixed_stripe.truth()
    page.goto(console)
    figures = page.get_by_role("region", name="Key figures")
    expect(figures.get_by_role("link", name=f"{truth['customers']:,}", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    fits(page)
    for currency, amount in truth["mrr"].items():
        link = figures.get_by_role("link", name=format_amount(amount, currency), exact=True)
        expect(link).to_be_visible(timeout=PATIENCE_MS)
        link.click()
        assert listed_customers(page) == paying(truth, currency)
        page.goto(console)
    follow(page, figures.get_by_role("link", name=f"{truth['customers']:,}", exact=True))
    assert len(listed_customers(page)) == truth["customers"]
    page.goto(console)
    still_open = [one for several in truth["signals"].values() for one in several if one["resolved_at"] is None]
    follow(page, figures.get_by_role("link", name=f"{len(still_open):,}", exact=True).last)
    expect(page.locator("details.signal")).to_have_count(min(50, len(still_open)))
    fits(page)


def listed_customers(page: Page) -> set[str]:
    """Every customer of a list, page by page."""
    found: set[str] = set()
    while True:
        fits(page)
        found |= set(re.findall(r'href="/customers/(cus_\w+)"', page.content()))
        following = page.get_by_role("link", name="Next page")
        if not following.count():
            return found
        follow(page, following)


def paying(truth: dict[str, dict[str, dict[str, int]]], currency: str) -> set[str]:
    """Customers with MRR in a currency."""
    payers: dict[str, set[str]] = defaultdict(set)
    for customer, amounts in truth["mrr_by_customer"].items():
        for paid_in in amounts:
            payers[paid_in].add(customer)
    return payers[currency]
