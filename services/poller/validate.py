"""Validating a submitted key, and what its card says of it."""

from dataclasses import replace
from datetime import timedelta

from runtime.logs import get_logger
from runtime.vault import Keyring
from services.poller import lease as leases
from services.poller.calls import API_VERSION
from services.poller.capabilities import warnings
from services.poller.connect import identify, probe
from services.poller.errors import Stopped
from services.poller.failures import EDIT_KEY
from services.poller.keys import KeyKind
from services.poller.kinds import KINDS, OBJECTS
from services.poller.lease import Lease
from services.poller.reader import Reader
from services.poller.server_clock import offset_seconds
from services.poller.session import Shell, say

ABILITY = ", ".join(OBJECTS[kind].permission for kind in KINDS if kind != "dispute")
log = get_logger(__name__)


async def validate(shell: Shell, lease: Lease, reader: Reader, kind: KeyKind, keyring: Keyring) -> Lease | None:
    """The lease with what was learnt of the account; None where its key went to the connection that is there already.

    Raises the SDK's exceptions, UnreadableAnswer, and Stopped where the key may read nothing that is needed.
    """
    account = await identify(reader)
    columns = {"account_id": account.account_id, "account_name": account.name, "livemode": kind.livemode}
    await say(shell, lease.connection_id, **columns, reason=None, remedy=None, last_error=None)
    if account.account_id and await _hand_over(shell, lease, reader, account.account_id, keyring):
        return None
    probed = await probe(reader)
    found = probed.capabilities
    if not any(found.can_read(each) for each in KINDS):
        raise Stopped("The key is valid, but may read nothing that DropFix needs.", f"{EDIT_KEY} Give it: {ABILITY}.")
    reader.capabilities = found
    now = int(shell.clock.now().timestamp())
    as_of = probed.newest or now
    offset = offset_seconds(now=now, newest=probed.newest, active_until=probed.active_until)
    reader.caller.clock_offset = timedelta(seconds=offset)
    known = replace(
        lease,
        account_id=account.account_id,
        capabilities=found,
        connected_at=lease.connected_at or as_of,
        clock_offset=offset,
    )
    learnt = leases.Learnt(account_id=account.account_id, found=found, as_of=as_of, clock_offset=offset)
    await shell.outside.run(lambda conn: leases.write_identity(conn, lease.owner, learnt))
    await say(shell, lease.connection_id, clock_offset=offset)
    await say_abilities(shell, lease, reader, kind)
    return known


async def say_abilities(shell: Shell, lease: Lease, reader: Reader, kind: KeyKind) -> None:
    """Show what the key may read, and what does not work without the rest."""
    found, echoed = reader.capabilities, reader.caller.echoed
    other = echoed if echoed not in {None, API_VERSION} else None
    said = warnings(found, key_is_secret=not kind.restricted, other_version=other)
    await say(shell, lease.connection_id, permissions=dict(found.permissions), warnings=said)


async def _hand_over(shell: Shell, lease: Lease, reader: Reader, account_id: str, keyring: Keyring) -> bool:
    """Give the key to the workspace's connection of the same account and mode, where there is one."""
    there = await shell.outside.run(lambda conn: leases.connection_of_account(conn, lease, account_id))
    if there is None:
        return False
    resealed = keyring.public.seal(reader.key.encode(), associated=leases.associated_data(there))
    taken = await shell.outside.run(
        lambda conn: leases.adopt(conn, new_id=lease.connection_id, old_id=there, resealed=resealed)
    )
    log.info("key handed over", connection_id=lease.connection_id, to=there, taken=taken)
    if taken:
        reason = "This account is connected already: its connection goes on with the new key."
        await say(shell, lease.connection_id, state="stopped", reason=reason)
    return taken
