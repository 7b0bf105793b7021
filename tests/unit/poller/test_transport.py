"""Nothing but GET leaves, to no host but the configured one, whoever asks for it."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.poller.errors import Refused
from services.poller.reading.transport import StripeAddress, open_client
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


@pytest.fixture
def own_authority(tmp_path: Path) -> Path:
    """A certificate for this machine that no authority of the system knows, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (file := tmp_path / "own.pem").write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return file


async def _read_over_tls(certificate: Path) -> int:
    """The status of a GET to a server of this machine with that certificate."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "localhost", 0, ssl=context)
    base = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    async with server, open_client(StripeAddress.parse(base)) as client:
        return (await client.get(f"{base}/v1/customers")).status_code


def test_a_certificate_is_accepted_only_from_an_authority_that_is_known_or_named(
    own_authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(_read_over_tls(own_authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(own_authority))
    assert asyncio.run(_read_over_tls(own_authority)) == 200


def test_certificates_are_verified() -> None:
    client = open_client(StripeAddress.parse("https://api.stripe.com"))
    context = client._transport._inner._pool._ssl_context  # type: ignore[attr-defined]
    assert context.check_hostname
    asyncio.run(client.aclose())
