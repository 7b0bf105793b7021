"""A dump of the database, without the poller's keyring, holds nothing that lets anybody in."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.database import programs
from runtime.errors import VaultError
from runtime.vault import Keyring, PrivateKey
from schemas.catalogue import CONTROL_DECISION
from tests.fixtures.servers import TestServers
from tests.integration.console.conftest import PASSWORD, STRIPE_KEY, RunningConsole, console_on

EMAIL = "ada@example.com"


@pytest.fixture
def console(servers: TestServers, tmp_path: Path) -> Iterator[RunningConsole]:
    """A console without anybody in it, started."""
    with console_on(servers, tmp_path, topics=[CONTROL_DECISION]) as found:
        found.start()
        yield found


def dump(url: str) -> str:
    """What a backup of the database holds, as text."""
    command = [str(programs() / "pg_dump"), "--dbname", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def forms_of(secret: str) -> list[str]:
    """How it could stand there."""
    as_bytes = secret.encode()
    return [secret, secret.encode().hex(), base64.b64encode(as_bytes).decode().rstrip("="), secret[len(secret) // 2 :]]


def test_a_dump_holds_no_key_password_session_or_token_that_works(console: RunningConsole) -> None:
    link, browser = console.first_run_link, console.browser()
    first_run = link.partition("=")[2]
    assert first_run not in dump(console.admin_url)

    fields = {"workspace": "Acme", "email": EMAIL, "password": PASSWORD, "token": first_run}
    assert browser.send(link, "/first-run", fields).status_code == 303
    assert browser.sign_in(EMAIL).status_code == 303
    assert browser.connect(STRIPE_KEY).status_code == 303
    made = console.operator.post("/api/sign_in_link", json={"email": EMAIL})
    other = console.operator.post(
        "/api/setup", json={"workspace": "Other", "email": "eve@example.com", "password": PASSWORD}
    )
    secrets = {
        "the Stripe key": STRIPE_KEY,
        "the password": PASSWORD,
        "the session": next(value for name, value in browser.client.cookies.items() if "session" in name),
        "the first-run token": first_run,
        "the sign-in token": made.json()["url"].partition("=")[2],
        "the operator's token": (console.folder / "operator").read_text().strip(),
        "the write key": other.json()["write_key"],
    }
    text = dump(console.admin_url)
    found = {name for name, secret in secrets.items() for form in forms_of(secret) if form in text}
    assert found == set()
    assert "$argon2id$" in text, "the dump has the members"


def test_the_sealed_key_in_a_dump_opens_with_the_keyring_alone(console: RunningConsole) -> None:
    company = console.company()
    company.browser.connect(STRIPE_KEY)
    (stored,) = console.connections(company)
    assert stored.sealed_key is not None
    assert stored.sealed_key.hex() in dump(console.admin_url), "the dump has the sealed key"
    bound = f"stripe_key:{stored.connection_id}".encode()
    assert console.keyring.open(stored.sealed_key, associated=bound) == STRIPE_KEY.encode()
    with pytest.raises(VaultError):
        Keyring([PrivateKey.generate()]).open(stored.sealed_key, associated=bound)
    with pytest.raises(VaultError):
        console.keyring.open(stored.sealed_key, associated=b"stripe_key:con_of_somebody_else")


def test_a_key_that_was_disconnected_is_in_no_dump_even_sealed(console: RunningConsole) -> None:
    company = console.company()
    company.browser.connect(STRIPE_KEY)
    (stored,) = console.connections(company)
    assert stored.sealed_key is not None
    gone = console.operator.post(
        "/api/stripe/disconnect", json={"connection_id": stored.connection_id, "workspace": company.workspace_id}
    )
    assert gone.status_code == 200, gone.text
    assert stored.sealed_key.hex() not in dump(console.admin_url)
