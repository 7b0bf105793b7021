"""SMTP over real sockets: what each ending of a conversation means for whoever must not send twice."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.errors import SettingsError
from runtime.mail import Accepted, Mailer, MailServer, Outcome, RefusedForGood, RefusedForNow, Unknown

FROM, TO = "billing@acme.example", "ada@example.com"


@dataclass
class Behaviour:
    """A mail server that answers as it is told, and keeps what it took."""

    mail: str = "250 OK"
    rcpt: str = "250 OK"
    data: str = "250 queued as 42"
    taken: list[bytes] = field(default_factory=list, init=False)

    async def handle_MAIL(self, _: Any, __: Any, envelope: Any, address: str, ___: list[str]) -> str:  # noqa: N802
        if self.mail.startswith("2"):
            envelope.mail_from = address
        return self.mail

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: list[str]) -> str:  # noqa: N802
        if self.rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append(envelope.content)
        if self.data == "cut":
            server.transport.abort()
        return self.data


@contextmanager
def running(behaviour: Behaviour, **options: Any) -> Iterator[int]:
    controller = Controller(behaviour, hostname="127.0.0.1", port=_free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def message(text: str = "Hello\n") -> EmailMessage:
    built = EmailMessage()
    built["From"], built["To"], built["Subject"] = FROM, TO, "Zahlung offen – 49 €"
    built.set_content(text)
    return built


def send(behaviour: Behaviour, *, before_data: Callable[[], None] = lambda: None, text: str = "Hello\n") -> Outcome:
    with running(behaviour) as port:
        mailer = Mailer(MailServer("127.0.0.1", port, "plain"), timeout=5)
        return mailer.send(message(text), sender=FROM, recipient=TO, before_data=before_data)


def test_a_message_that_was_taken_is_accepted_with_the_servers_words() -> None:
    assert send(Behaviour()) == Accepted("250 queued as 42")


def test_lines_that_begin_with_a_dot_arrive_as_they_were() -> None:
    behaviour = Behaviour()
    send(behaviour, text="first\n.\n..second\nlast\n")
    assert behaviour.taken[0].endswith(b"first\r\n.\r\n..second\r\nlast\r\n")


@pytest.mark.parametrize("answers", [{"rcpt": "550 no such user"}, {"data": "554 not this one"}])
def test_a_5xx_to_the_recipient_or_the_message_is_for_good(answers: dict[str, str]) -> None:
    outcome = send(Behaviour(**answers))
    assert isinstance(outcome, RefusedForGood)
    assert outcome.code in {550, 554}


@pytest.mark.parametrize(
    "answers", [{"mail": "451 later"}, {"rcpt": "452 full"}, {"data": "451 greylisted"}, {"mail": "550 not you"}]
)
def test_a_4xx_or_a_refusal_of_ourselves_is_for_now(answers: dict[str, str]) -> None:
    assert isinstance(send(Behaviour(**answers)), RefusedForNow)


def test_a_connection_that_is_cut_after_data_leaves_it_unknown() -> None:
    behaviour = Behaviour(data="cut")
    assert isinstance(send(behaviour), Unknown)
    assert len(behaviour.taken) == 1


def test_nobody_there_is_for_now_and_names_the_address() -> None:
    port = _free_port()
    outcome = Mailer(MailServer("127.0.0.1", port, "plain"), timeout=2).send(message(), sender=FROM, recipient=TO)
    assert isinstance(outcome, RefusedForNow)
    assert f"127.0.0.1:{port}" in outcome.reply


def test_the_hook_runs_once_the_recipient_is_accepted_and_before_data() -> None:
    behaviour, called = Behaviour(), []
    send(behaviour, before_data=lambda: called.append(len(behaviour.taken)))
    assert called == [0]
    send(Behaviour(rcpt="550 no"), before_data=lambda: called.append(1))
    assert called == [0]


def test_what_the_hook_raises_ends_it_with_nothing_sent() -> None:
    behaviour = Behaviour()

    def refuse() -> None:
        raise LookupError("another process has it")

    with pytest.raises(LookupError):
        send(behaviour, before_data=refuse)
    assert behaviour.taken == []


def test_an_address_beyond_ascii_is_refused_where_the_server_takes_none() -> None:
    with running(Behaviour(), enable_SMTPUTF8=False) as port:
        mailer = Mailer(MailServer("127.0.0.1", port, "plain"), timeout=5)
        outcome = mailer.send(message(), sender=FROM, recipient="jürgen@example.com")
    assert isinstance(outcome, RefusedForGood)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


def contexts(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    return server, ssl.create_default_context(cafile=str(certificate))


def authenticate(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"user", b"p@ss"), handled=False)


@pytest.mark.parametrize(("password", "outcome"), [("p@ss", Accepted), ("wrong", RefusedForNow)])
def test_starttls_and_authentication(certificate: Path, password: str, outcome: type[Outcome]) -> None:
    server, client = contexts(certificate)
    behaviour = Behaviour()
    with running(
        behaviour, tls_context=server, require_starttls=True, authenticator=authenticate, auth_required=True
    ) as port:
        target = MailServer("127.0.0.1", port, "starttls", "user", password)
        found = Mailer(target, timeout=5, context=client).send(message(), sender=FROM, recipient=TO)
    assert isinstance(found, outcome)
    assert password not in repr(found)


def test_tls_from_the_start(certificate: Path) -> None:
    server, client = contexts(certificate)
    with running(Behaviour(), ssl_context=server) as port:
        mailer = Mailer(MailServer("127.0.0.1", port, "tls"), timeout=5, context=client)
        assert isinstance(mailer.send(message(), sender=FROM, recipient=TO), Accepted)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(certificate: Path) -> None:
    server, _ = contexts(certificate)
    with running(Behaviour(), ssl_context=server) as port:
        outcome = Mailer(MailServer("127.0.0.1", port, "tls"), timeout=5).send(message(), sender=FROM, recipient=TO)
    assert isinstance(outcome, RefusedForNow)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://127.0.0.1:2525", MailServer("127.0.0.1", 2525, "plain")),
        ("smtp+starttls://u:p%40ss@mail.example", MailServer("mail.example", 587, "starttls", "u", "p@ss")),
        ("smtps://u:p@mail.example", MailServer("mail.example", 465, "tls", "u", "p")),
    ],
)
def test_an_smtp_url_says_where_and_how(url: str, expected: MailServer) -> None:
    assert MailServer.of(url) == expected


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtps://u@mail.example", "smtp://h:99999"])
def test_a_wrong_smtp_url_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(SettingsError, match="SMTP_URL"):
        MailServer.of(url)


def test_a_password_is_in_no_representation() -> None:
    assert "hidden" not in repr(MailServer.of("smtps://u:hidden@mail.example"))
