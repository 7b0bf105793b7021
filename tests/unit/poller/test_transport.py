"""Nothing but GET leaves, to no host but the configured one, whoever asks for it."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable
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
from services.poller.reading.network import CertificateRefused, Network
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
        network = client._transport._inner  # type: ignore[attr-defined]
        assert network.proxy == ("http://proxy.example:3128" if proxied else None)
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
    with pytest.raises(CertificateRefused, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(_read_over_tls(own_authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(own_authority))
    assert asyncio.run(_read_over_tls(own_authority)) == 200


def test_certificates_are_verified() -> None:
    client = open_client(StripeAddress.parse("https://api.stripe.com"))
    context = client._transport._inner.context  # type: ignore[attr-defined]
    assert context.check_hostname
    asyncio.run(client.aclose())


Behaving = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _closes(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _talks_otherwise(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x15\x03\x01\x00\x02\x02")
    writer.close()


async def _ends_in_its_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConte")
    writer.close()


async def _ends_in_its_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.close()


async def _stops_in_its_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()


async def _drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _is_packed(writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(b'{"object": "list"}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def _read_from(behave: Behaving, *, path: str = "/v1/customers", proxy: bool = False) -> tuple[bytes, str]:
    """(the body that is read, the first line that was sent) where a server of this machine behaves so."""
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await behave(writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    here = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    base = "http://stripe.example" if proxy else here
    network = Network(context=ssl.create_default_context(), proxy=here if proxy else None)
    async with server, open_client(StripeAddress.parse(base), timeout=0.5, inner=network) as client:
        try:
            body = (await client.get(base + path)).content
        finally:
            for writer in writers:
                writer.close()
    return body, asked[0].partition(b"\r\n")[0].decode()


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (_closes, httpx.RemoteProtocolError),
        (_talks_otherwise, httpx.RemoteProtocolError),
        (_ends_in_its_head, httpx.RemoteProtocolError),
        (_ends_in_its_body, httpx.RemoteProtocolError),
        (_stops_in_its_body, httpx.ReadTimeout),
        (_drips, httpx.ReadTimeout),
    ],
)
def test_an_answer_that_is_none_is_told_apart_from_no_answer(behave: Behaving, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        asyncio.run(_read_from(behave))


def test_nobody_at_an_address_is_a_failure_to_connect() -> None:
    async def ask() -> None:
        async with open_client(StripeAddress.parse("http://127.0.0.1:9")) as client:
            await client.get("http://127.0.0.1:9/v1/customers")

    with pytest.raises(httpx.ConnectError):
        asyncio.run(ask())


def test_an_answer_that_is_packed_is_unpacked() -> None:
    assert asyncio.run(_read_from(_is_packed))[0] == b'{"object": "list"}'


def test_an_address_is_sent_as_it_was_written() -> None:
    path = "/v1/charges/search?query=status%3A%22failed%22+AND+created%3E%3D5&created[gte]=1"
    assert asyncio.run(_read_from(_is_packed, path=path))[1] == f"GET {path} HTTP/1.1"


def test_a_proxy_is_asked_for_what_is_behind_it() -> None:
    body, asked = asyncio.run(_read_from(_is_packed, proxy=True))
    assert asked == "GET http://stripe.example/v1/customers HTTP/1.1"
    assert body == b'{"object": "list"}'
