"""How a query is written in an address."""

from urllib.parse import parse_qsl

from services.poller.reading.queries import Query, encode


def test_ranges_and_expansions_are_written_as_stripe_writes_them() -> None:
    query = Query("invoice", {"status": "open"}, frozenset({"payments"})).between(5, 9)
    written = encode(query.parameters(after="in_1"))
    assert dict(parse_qsl(written)) == {
        "limit": "100",
        "status": "open",
        "expand[0]": "data.payments",
        "created[gte]": "5",
        "created[lt]": "9",
        "starting_after": "in_1",
    }
    assert "created[gte]=5" in written


def test_a_search_goes_on_by_its_page_and_is_not_bounded_otherwise() -> None:
    query = Query("subscription", search="canceled_at>5", created_from=1)
    assert query.path == "/v1/subscriptions/search"
    assert query.parameters(page="p2") == {"limit": 100, "query": "canceled_at>5", "page": "p2"}
