"""Rotation of the vault: Stripe keys that are sealed to an older key of the ring are sealed to the current one."""

from runtime.database import Connection
from runtime.errors import VaultError
from runtime.vault import Keyring
from services.poller.lease import associated_data
from services.poller.statements import statement


def reseal_old_keys(conn: Connection, keyring: Keyring) -> int:
    """Seal them anew; how many there were. One that no key of the ring opens stays as it is: its card says so.

    Connections go on without noticing: the key is the same, and it is known by its new seal.
    """
    current = keyring.public
    found = conn.execute(statement("sealed_to_others"), {"key_id": current.key_id}).fetchall()
    resealed = 0
    for connection_id, was in found:
        associated = associated_data(connection_id)
        try:
            key = keyring.open(bytes(was), associated=associated)
        except VaultError:
            continue
        columns = {"connection_id": connection_id, "was": was, "key_id": current.key_id}
        columns["resealed"] = current.seal(key, associated=associated)
        row = conn.execute(statement("reseal"), columns).fetchone()
        if row is not None and row[0]:
            conn.execute(statement("know_reseal"), columns)
            resealed += 1
    return resealed
