"""Rotation of the vault's key: every Stripe key is sealed anew, by the one role that may, and no connection notices."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from psycopg.types.json import Jsonb

from runtime.database import Connection
from runtime.vault import Keyring, PrivateKey
from services.poller.lease import discover
from services.poller.rotation import reseal_old_keys
from tests.integration.access.deployment import Deployment

KEY = b"rk_test_51secret"
OLD, NEW = PrivateKey.generate(), PrivateKey.generate()
ASSOCIATED = b"stripe_key:con_1"


@contextmanager
def poller_with_a_key(deployment: Deployment, sealed_to: PrivateKey) -> Iterator[Connection]:
    """A session of the poller's role, which has taken up one connection; undone afterwards."""
    with deployment.acting_as("dropfix_poller") as db:
        db.execute("RESET SESSION AUTHORIZATION")
        db.execute("INSERT INTO control.workspaces VALUES ('ws', 'Acme', now())")
        db.execute(
            "INSERT INTO control.connections (connection_id, workspace_id, sealed_key, key_id, key_kind, key_hint,"
            " livemode_claimed, state, submitted_at)"
            " VALUES ('con_1', 'ws', %s, %s, 'restricted', 'rk_test_…', false, 'submitted', now())",
            (sealed_to.public.seal(KEY, associated=ASSOCIATED), sealed_to.public.key_id),
        )
        db.execute("SET SESSION AUTHORIZATION dropfix_poller")
        db.execute("SET search_path = poller")
        assert discover(db, now=datetime.now(UTC)) == (["con_1"], [])
        yield db


def sealed_key(db: Connection) -> tuple[bytes, str]:
    row = db.execute("SELECT sealed_key, key_id FROM control.connections WHERE connection_id = 'con_1'").fetchone()
    assert row is not None
    return bytes(row[0]), str(row[1])


def test_a_key_of_before_is_sealed_to_the_current_one(deployment: Deployment) -> None:
    with poller_with_a_key(deployment, OLD) as db:
        assert reseal_old_keys(db, Keyring([NEW, OLD])) == 1
        sealed, key_id = sealed_key(db)
        assert key_id == NEW.public.key_id
        assert Keyring([NEW]).open(sealed, associated=ASSOCIATED) == KEY
        assert reseal_old_keys(db, Keyring([NEW, OLD])) == 0


def test_a_connection_goes_on_under_its_new_seal(deployment: Deployment) -> None:
    with poller_with_a_key(deployment, OLD) as db:
        db.execute("UPDATE connections SET phase = 'live', capabilities = %s", (Jsonb({}),))
        reseal_old_keys(db, Keyring([NEW, OLD]))
        assert discover(db, now=datetime.now(UTC)) == ([], [])
        assert db.execute("SELECT phase FROM connections").fetchall() == [("live",)]


def test_a_key_that_no_key_of_the_ring_opens_is_left_alone(deployment: Deployment) -> None:
    with poller_with_a_key(deployment, OLD) as db:
        before = sealed_key(db)
        assert reseal_old_keys(db, Keyring([NEW])) == 0
        assert sealed_key(db) == before


def test_a_seal_that_was_replaced_meanwhile_is_not_overwritten(deployment: Deployment) -> None:
    with poller_with_a_key(deployment, OLD) as db:
        before = sealed_key(db)
        done = db.execute("SELECT control.reseal_connection('con_1', 'another seal', 'mine', 'k')").fetchone()
        assert done == (False,)
        assert sealed_key(db) == before


def test_a_new_key_of_the_vault_comes_before_the_old_ones(tmp_path: Path) -> None:
    def dropfix(*arguments: str) -> int:
        return subprocess.run([sys.executable, "-m", "cli", *arguments], timeout=60, check=False).returncode

    assert dropfix("secrets", "rotate", str(tmp_path)) == 2
    assert dropfix("secrets", "make", str(tmp_path)) == 0
    first = Keyring.read(tmp_path / "vault_private_keys").public
    assert dropfix("secrets", "rotate", str(tmp_path)) == 0
    ring = Keyring.read(tmp_path / "vault_private_keys")
    assert ring.public.key_id != first.key_id
    assert ring.open(first.seal(KEY, associated=b"x"), associated=b"x") == KEY
    assert (tmp_path / "vault_public_key").read_text().strip() == ring.public.encode()
    assert (tmp_path / "vault_private_keys").stat().st_mode & 0o777 == 0o600
