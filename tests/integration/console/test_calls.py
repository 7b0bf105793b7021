"""The requests that were made to Stripe, as a person sees them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from psycopg.types.json import Jsonb

from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.test_people import connected

NOW = datetime.now(UTC)


def add_call(console: RunningConsole, company: Company, connection: str, number: int, **columns: object) -> None:
    """A request that was made so many minutes ago."""
    known: dict[str, object] = {
        "called_at": NOW - timedelta(minutes=number),
        "endpoint": "/v1/charges",
        "parameters": Jsonb({"limit": "100", "created[gte]": "1795500000", "expand": "data.payment_intent"}),
        "purpose": "hot",
        "status": 200,
        "error": None,
        "request_id": f"req_{number}",
        **columns,
    }
    console.add(
        "poller.api_calls",
        call_id=uuid4(),
        workspace_id=company.workspace_id,
        connection_id=connection,
        milliseconds=31,
        objects=7,
        reads_used=120,
        reads_allowed=9_500,
        source_topic="stripe.api_call.v1",
        source_partition=0,
        source_offset=number,
        **known,
    )


def requests_of(connection: str) -> str:
    return f"/settings/integrations/stripe/{connection}/requests"


def test_requests_are_shown_as_stripes_own_log_shows_them_and_lead_from_the_card(
    console: RunningConsole, company: Company
) -> None:
    connection = connected(console, company)
    console.poller_says(company, "live", reads_used=120, reads_allowed=9_500)
    add_call(console, company, connection, 1)
    assert requests_of(connection) in company.browser.get("/settings/integrations").text
    page = company.browser.get(requests_of(connection)).text
    for shown in (
        "GET /v1/charges",
        "?limit=100&amp;created[gte]=1795500000&amp;expand×1",
        "req_1",
        "31 ms",
        "120 of 9,500",
    ):
        assert shown in page


def test_failed_requests_are_found_and_so_is_a_request_by_its_id(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_call(console, company, connection, 1)
    add_call(console, company, connection, 2, status=403, error="invalid_request_error/more_permissions_required")
    add_call(console, company, connection, 3, status=None, error="ReadTimeout", request_id=None)
    failed = company.browser.get(requests_of(connection) + "?failed=true").text
    assert "more_permissions_required" in failed
    assert "No answer" in failed
    assert "req_1" not in failed
    found = company.browser.get(requests_of(connection) + "?q=req_1").text
    assert ("req_1" in found, "req_2" in found) == (True, False)
    assert "No request matches" in company.browser.get(requests_of(connection) + "?q=100%25").text


def test_a_long_log_is_leafed_through(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    for number in range(1, 61):
        add_call(console, company, connection, number)
    first = company.browser.get(requests_of(connection)).text
    assert ("req_50<" in first, "req_51<" in first) == (True, False)
    address = first.split('class="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = company.browser.get(address).text
    assert ("req_50<" in second, "req_51<" in second, "req_60<" in second) == (False, True, True)


def test_another_companys_requests_are_not_there(console: RunningConsole, company: Company) -> None:
    connection = connected(console, company)
    add_call(console, company, connection, 1)
    answer = company.browser.get(requests_of("con_of_somebody_else"))
    assert answer.status_code == 404
    assert "no such connection" in answer.text
