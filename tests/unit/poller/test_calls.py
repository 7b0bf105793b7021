"""Requests are pinned, metered, audited and retried within bounds; what fails is explained without a secret."""

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Any

import httpx
import pytest
import stripe

from services.poller.connecting.connect import identify
from services.poller.errors import PollerError, Refused, Stopped, UnreadableAnswer
from services.poller.reading import calls
from services.poller.reading.calls import API_VERSION, ATTEMPTS, LONGEST_ASKED, LONGEST_KEPT, asked_to_wait
from services.poller.reading.capabilities import warnings
from services.poller.reading.failures import Action, Failure, explain
from services.poller.reading.limits import ENDPOINT_PER_SECOND
from services.poller.reading.network import CertificateRefused
from services.poller.reading.queries import Query
from services.poller.reading.sdk import OverOneTransport, read
from tests.unit.poller import builders as make
from tests.unit.poller.server import KEY, Answering, Server, says

EMPTY = {"object": "list", "data": [], "has_more": False}
CHARGES = Query("charge")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "full_jitter", lambda *_, **__: 0.0)


def page_of(server: Server) -> Any:
    return asyncio.run(server.reader().page(CHARGES, purpose="hot"))


def error(kind: str, message: str, **fields: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, **fields}}


def failure_of(server: Server) -> Failure:
    with pytest.raises((stripe.StripeError, PollerError)) as raised:
        page_of(server)
    assert KEY not in str(raised.value)
    assert KEY not in repr(raised.value)
    assert isinstance(raised.value, stripe.StripeError | PollerError)
    return explain(raised.value, base=server.base)


def test_every_request_names_the_pinned_version_and_nothing_of_the_machine() -> None:
    server = Server(says(200, EMPTY))
    page_of(server)
    asyncio.run(read(KEY, server.caller(), "/v1/charges", {"limit": 1}, purpose="connect"))
    for request in server.asked:
        assert request.headers["stripe-version"] == API_VERSION
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["user-agent"].startswith("DropFix/")
        assert not any(name.startswith("x-stripe-client") for name in request.headers)
        assert request.url.path == "/prefix/v1/charges"


def test_every_request_is_audited_and_metered_without_the_key() -> None:
    server = Server(says(200, {**EMPTY, "data": [make.charge()]}, **{"request-id": "req_1"}))
    found = page_of(server)
    (made,) = server.made
    assert (made.endpoint, made.purpose, made.status, made.request_id, made.objects) == (
        "/v1/charges",
        "hot",
        200,
        "req_1",
        1,
    )
    assert (made.reads_used, made.reads_allowed) == (1, 9_500)
    assert made.parameters == {"limit": "100"}
    assert found.reading.version == made.version
    assert KEY not in repr(made)


def test_versions_are_drawn_before_the_request_and_only_grow() -> None:
    server = Server(says(200, EMPTY))
    reader = server.reader()

    async def several() -> list[int]:
        reads = await asyncio.gather(*(reader.page(CHARGES, purpose="hot") for _ in range(5)))
        assert all(read.reading.version < read.reading.closed for read in reads)
        return [read.reading.version for read in reads]

    assert len(set(asyncio.run(several()))) == 5


def test_the_sdk_cannot_post() -> None:
    server = Server(says(200, {}))
    client = stripe.StripeClient(
        KEY,
        base_addresses={"api": server.base},
        http_client=OverOneTransport(server.caller(), "connect"),
    )
    with pytest.raises(Refused, match="POST was not sent"):
        asyncio.run(client.v1.customers.create_async({"email": "a@b.example"}))
    with pytest.raises(Refused, match="DELETE was not sent"):
        asyncio.run(client.v1.customers.delete_async("cus_1"))
    assert server.asked == []


INVALID = error("invalid_request_error", f"Invalid API Key provided: {KEY}")
EXPIRED = error("invalid_request_error", f"Expired API Key provided: {KEY}", code="api_key_expired")
ADDRESS = error("invalid_request_error", "The API key provided does not allow requests from your IP address (1.2.3.4).")
FORBIDDEN = error("invalid_request_error", f"The provided key '{KEY}' does not have the required permissions")


@pytest.mark.parametrize(
    ("answering", "action", "says_", "attempts"),
    [
        (says(401, INVALID), Action.STOP, "does not accept the key", 1),
        (says(401, EXPIRED), Action.STOP, "expired", 1),
        (says(401, ADDRESS), Action.STOP, "IP address", 1),
        (says(403, FORBIDDEN), Action.DEGRADE, "may not read", 1),
        (says(404, error("invalid_request_error", "Unrecognized request URL")), Action.LACKING, "does not know", 1),
        (says(429, error("invalid_request_error", "slow", code="rate_limit")), Action.BACK_OFF, "slow down", ATTEMPTS),
        (says(500, error("api_error", "oops")), Action.BACK_OFF, "fault", ATTEMPTS),
        (lambda _: httpx.Response(502, html="<html>Bad gateway"), Action.BACK_OFF, "HTML", ATTEMPTS),
        (lambda _: httpx.Response(200, html="<!DOCTYPE html>"), Action.BACK_OFF, "HTML", ATTEMPTS),
        (lambda _: httpx.Response(200, content=b'{"data": [{"id": "ch_1"'), Action.BACK_OFF, "in the middle", ATTEMPTS),
        (says(200, {"hello": "world"}), Action.BACK_OFF, "another shape", 1),
        (says(301, {}, location="https://elsewhere.example"), Action.BACK_OFF, "redirects", 1),
    ],
)
def test_a_failure_has_its_sentence_and_what_is_done(
    answering: Answering, action: Action, says_: str, attempts: int
) -> None:
    server = Server(answering)
    failure = failure_of(server)
    assert failure.action is action
    assert says_ in failure.sentence
    assert len(server.asked) == len(server.made) == attempts
    assert KEY not in repr(failure)
    assert KEY not in repr(server.made)


@pytest.mark.parametrize(
    ("raised", "says_"),
    [
        (httpx.ConnectError("refused"), "nothing answers"),
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.RemoteProtocolError("cut"), "ended in the middle"),
    ],
)
def test_a_server_that_does_not_answer_is_named_with_its_address(raised: Exception, says_: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise raised

    server = Server(fail)
    failure = failure_of(server)
    assert failure.action is Action.BACK_OFF
    assert server.base in failure.sentence
    assert says_ in failure.sentence
    assert "STRIPE_API_BASE" in (failure.remedy or "")
    assert [made.status for made in server.made] == [None] * ATTEMPTS


def test_a_fault_that_passes_is_not_noticed() -> None:
    answers: Iterator[httpx.Response] = iter(
        [
            httpx.Response(503, json=error("api_error", "oops")),
            httpx.Response(429, json=error("x", "y")),
            httpx.Response(200, json=EMPTY),
        ]
    )
    server = Server(lambda _: next(answers))
    assert page_of(server).page.listed == ()
    assert [made.status for made in server.made] == [503, 429, 200]


def test_a_server_that_says_not_to_try_again_is_not_asked_again() -> None:
    server = Server(says(500, error("api_error", "oops"), **{"stripe-should-retry": "false"}))
    assert failure_of(server).action is Action.BACK_OFF
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("600", 600.0),
        ("90000", LONGEST_KEPT),
        ("", 0.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("1.5", 1.5),
        ("nan", 0.0),
    ],
)
def test_a_pause_that_an_answer_asks_for_is_kept_within_bounds(text: str, seconds: float) -> None:
    assert asked_to_wait({"retry-after": text}) == seconds


def test_a_pause_until_a_date_is_counted_from_the_answers_own_date() -> None:
    noon = {"date": "Wed, 25 Nov 2026 12:00:00 GMT"}
    assert asked_to_wait({"retry-after": "Wed, 25 Nov 2026 12:00:40 GMT", **noon}) == 40.0
    assert asked_to_wait({"retry-after": "Wed, 25 Nov 2026 11:00:00 GMT", **noon}) == 0.0
    assert asked_to_wait({"retry-after": "Wed, 25 Nov 2099 12:00:00 GMT"}) == LONGEST_KEPT


def test_a_certificate_that_is_not_trusted_has_its_own_remedy() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise CertificateRefused("CERTIFICATE_VERIFY_FAILED")

    failure = failure_of(Server(fail))
    assert "certificate is not trusted" in failure.sentence
    assert "SSL_CERT_FILE" in (failure.remedy or "")


def test_half_an_answer_is_asked_for_again_and_its_audit_says_so() -> None:
    answers = iter([httpx.Response(200, content=b'{"data": [{"id"'), httpx.Response(200, json=EMPTY)])
    server = Server(lambda _: next(answers))
    assert page_of(server).page.listed == ()
    assert "in the middle" in str(server.made[0].error)


def test_a_pause_that_is_asked_for_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    answers = iter(
        [httpx.Response(429, json=error("x", "y"), headers={"Retry-After": "7"}), httpx.Response(200, json=EMPTY)]
    )
    page_of(Server(lambda _: next(answers)))
    assert pauses[0] == 7.0


def test_who_asks_for_a_longer_pause_than_a_request_can_wait_is_not_asked_again_by_it() -> None:
    longer = str(int(LONGEST_ASKED) + 1)
    server = Server(says(429, error("invalid_request_error", "slow", code="rate_limit"), **{"Retry-After": longer}))
    with pytest.raises(stripe.RateLimitError) as raised:
        page_of(server)
    assert len(server.asked) == 1
    assert asked_to_wait(raised.value.headers or {}) == float(longer)


def test_what_the_server_says_may_be_tried_again_is_tried_again() -> None:
    busy = error("invalid_request_error", "locked", code="lock_timeout")
    server = Server(says(409, busy, **{"stripe-should-retry": "true"}))
    failure_of(server)
    assert len(server.asked) == ATTEMPTS


def test_the_sdk_neither_retries_by_itself_nor_tells_stripe_of_the_machine() -> None:
    server = Server(says(503, error("api_error", "oops")))
    with pytest.raises(stripe.APIError):
        asyncio.run(read(KEY, server.caller(), "/v1/charges/ch_1", {}, purpose="focused"))
    assert len(server.asked) == len(server.made) == ATTEMPTS
    assert stripe.enable_telemetry is False


def test_the_version_that_comes_back_is_noticed_and_said() -> None:
    server = Server(says(200, EMPTY, **{"stripe-version": "2024-09-30.acacia"}))
    reader = server.reader()
    asyncio.run(reader.page(CHARGES, purpose="connect"))
    assert reader.caller.echoed == "2024-09-30.acacia"
    (said,) = warnings(reader.capabilities, key_is_secret=False, other_version=reader.caller.echoed)[:1]
    assert "2024-09-30.acacia" in said


def test_a_429_slows_the_endpoint_down() -> None:
    answers = iter([httpx.Response(429, json=error("x", "y")), httpx.Response(200, json=EMPTY)])
    server = Server(lambda _: next(answers))
    reader = server.reader()
    asyncio.run(reader.page(CHARGES, purpose="hot"))
    now = monotonic()
    first, second = (reader.caller.limits.reserve("/v1/charges", now) for _ in range(2))
    assert second - first > 1.5 / ENDPOINT_PER_SECOND


ACCOUNT = error(
    "invalid_request_error",
    f"The provided key '{KEY}' does not have the required permissions for this endpoint on account 'acct_1abc'.",
)


@pytest.mark.parametrize(
    ("answering", "account", "name"),
    [
        (says(403, ACCOUNT), "acct_1abc", None),
        (says(403, FORBIDDEN), None, None),
        (says(200, {"id": "acct_2", "settings": {"dashboard": {"display_name": "Acme"}}}), "acct_2", "Acme"),
        (says(200, {"id": "acct_3"}), "acct_3", None),
        (says(404, error("invalid_request_error", "Unrecognized request URL")), None, None),
    ],
)
def test_the_account_is_learnt_without_a_permission_for_it(
    answering: Answering, account: str | None, name: str | None
) -> None:
    server = Server(answering)
    found = asyncio.run(identify(server.reader()))
    assert (found.account_id, found.name) == (account, name)
    assert len(server.asked) == 1


def test_a_key_that_is_not_accepted_is_known_after_one_call() -> None:
    server = Server(says(401, INVALID))
    with pytest.raises(stripe.AuthenticationError) as raised:
        asyncio.run(identify(server.reader()))
    assert KEY not in str(raised.value.json_body)
    assert len(server.asked) == 1


def test_a_single_object_comes_through_the_sdk_with_its_bytes() -> None:
    body = make.encode(make.charge(metadata={"name": "Zoë"}))
    server = Server(lambda _: httpx.Response(200, content=body))
    seen = asyncio.run(server.reader().single("charge", "ch_1", purpose="focused"))
    assert [one.object.raw for one in seen] == [body]
    assert server.asked[0].url.path == "/prefix/v1/charges/ch_1"


def test_a_stop_of_our_own_keeps_its_sentence_and_remedy() -> None:
    failure = explain(Stopped("It rests.", "Do this."), base="https://h")
    assert (failure.action, failure.sentence, failure.remedy) == (Action.STOP, "It rests.", "Do this.")
    assert explain(UnreadableAnswer("x"), base="https://h").action is Action.BACK_OFF
