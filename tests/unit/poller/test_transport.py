"""Nothing but GET leaves, to no host but the configured one, whoever asks for it."""

import asyncio

import httpx
import pytest

from services.poller.errors import Refused
from services.poller.transport import StripeAddress, open_client
from tests.unit.poller.server import Server, says


def send(server: Server, method: str, url: str, **headers: str) -> httpx.Response:
    async def sending() -> httpx.Response:
        async with server.client() as client:
            return await client.request(method, url, headers=headers)

    return asyncio.run(sending())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_a_request_that_is_not_a_get_never_leaves(method: str) -> None:
    server = Server(says(200, {}))
    with pytest.raises(Refused, match="only ever reads"):
        send(server, method, f"{server.base}/v1/customers")
    assert server.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/prefix/v1/customers",
        "https://127.0.0.1:9/prefix/v1/customers",
        "http://127.0.0.1:10/prefix/v1/customers",
        "http://127.0.0.1:9/v1/customers",
        "http://127.0.0.1:9/prefixed/v1/customers",
    ],
)
def test_a_request_to_anywhere_else_never_leaves(url: str) -> None:
    server = Server(says(200, {}))
    with pytest.raises(Refused, match="Stripe is at"):
        send(server, "GET", url)
    assert server.asked == []


def test_a_path_cannot_climb_out_of_the_prefix() -> None:
    assert not StripeAddress.parse("http://h/prefix").covers(httpx.URL("http://h/prefix/%2e%2e/other"))


def test_a_get_below_the_prefix_is_sent() -> None:
    server = Server(says(200, {"ok": True}))
    assert send(server, "GET", f"{server.base}/v1/customers").status_code == 200
    assert [request.url.path for request in server.asked] == ["/prefix/v1/customers"]


def test_a_redirect_is_not_followed() -> None:
    server = Server(says(302, {}, location="http://elsewhere.example/"))
    assert send(server, "GET", f"{server.base}/v1/customers").status_code == 302
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("base", "sent"),
    [("http://stripe.example", 0), ("https://stripe.example", 1), ("http://localhost:4", 1), ("http://[::1]:4", 1)],
)
def test_a_live_key_is_never_sent_in_the_clear_but_to_this_machine(base: str, sent: int) -> None:
    server = Server(says(200, {}), base=base)
    headers = {"Authorization": "Bearer rk_live_51abc"}
    if sent:
        send(server, "GET", f"{base}/v1/customers", **headers)
    else:
        with pytest.raises(Refused, match="https://") as refused:
            send(server, "GET", f"{base}/v1/customers", **headers)
        assert "rk_live" not in str(refused.value)
    assert len(server.asked) == sent


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://api.stripe.com", "https://api.stripe.com"),
        (" https://api.stripe.com/ ", "https://api.stripe.com"),
        ("http://127.0.0.1:12111/prefix/", "http://127.0.0.1:12111/prefix"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_is_kept_in_one_form(text: str, base: str) -> None:
    assert StripeAddress.parse(text).base == base


@pytest.mark.parametrize(
    "text", ["", "stripe.com", "ftp://stripe.com", "https://user:pw@stripe.com", "https://h?x=1", "https://"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        StripeAddress.parse(text)


def test_an_endpoint_is_what_stripe_counts_as_one() -> None:
    address = StripeAddress.parse("http://h/prefix")
    endpoints = {
        path: address.endpoint(httpx.URL(f"http://h/prefix{path}"))
        for path in ("/v1/customers", "/v1/customers/cus_1", "/v1/charges/search", "/v1/account")
    }
    assert list(endpoints.values()) == ["/v1/customers", "/v1/customers/{id}", "/v1/charges/search", "/v1/account"]


def test_the_proxy_of_the_environment_is_used_and_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    for base, proxied in (
        ("https://api.stripe.com", True),
        ("https://inside.example", False),
        ("http://127.0.0.1:5", False),
    ):
        client = open_client(StripeAddress.parse(base))
        pool = client._transport._inner._pool  # type: ignore[attr-defined]
        assert ("Proxy" in type(pool).__name__) is proxied
        asyncio.run(client.aclose())


def test_certificates_are_verified() -> None:
    client = open_client(StripeAddress.parse("https://api.stripe.com"))
    context = client._transport._inner._pool._ssl_context  # type: ignore[attr-defined]
    assert context.check_hostname
    asyncio.run(client.aclose())
