"""Pages on a phone: whatever is on them, nobody has to scroll sideways."""

from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import ViewportSize, sync_playwright

from tests.fixtures.browser import OPTIONS
from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.test_dashboard import add_mrr, connected
from tests.integration.console.test_dunning import add_episode

PHONE_WIDTH = 360
CURRENCIES = ("usd", "eur", "gbp", "jpy", "kwd", "cad")


def test_amounts_of_many_currencies_fit(console: RunningConsole, company: Company, chromium: str) -> None:
    connection = connected(console, company)
    won: dict[str, Any] = {"state": "recovered", "reason": "paid", "due_at": None, "ended_at": datetime.now(UTC)}
    amounts = dict.fromkeys(CURRENCIES, (123_456_789, 0, 123_456_789))
    add_episode(console, company, connection, "won", amounts=amounts, **won)
    add_episode(console, company, connection, "open", amounts=dict.fromkeys(CURRENCIES, (987_654_321, 987_654_321, 0)))
    for number, currency in enumerate(CURRENCIES):
        add_mrr(console, company, connection, f"c{number}", currency=currency, mrr=123_456_789)
    pages = (
        "/",
        "/dunning",
        "/dunning?show=recovered",
        "/settings/recovery/emails",
        "/settings/recovery/emails/retry/first",
    )
    wide = {path: width for path, width in _widths(company, chromium, pages).items() if width > PHONE_WIDTH}
    assert wide == {}


def _widths(company: Company, chromium: str, paths: tuple[str, ...]) -> dict[str, int]:
    """How wide each page is for who is signed in, in pixels."""
    client = company.browser.client
    cookie = "; ".join(f"{each.name}={each.value}" for each in client.cookies.jar)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=OPTIONS) as browser:
        size: ViewportSize = {"width": PHONE_WIDTH, "height": 740}
        context = browser.new_context(viewport=size, extra_http_headers={"Cookie": cookie})
        page, found = context.new_page(), {}
        for path in paths:
            page.goto(f"{client.base_url}{path}")
            found[path] = int(page.evaluate("document.documentElement.scrollWidth"))
    return found
