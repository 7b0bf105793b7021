"""Validating a submitted key, and what its card says of it.

A key of an account that the workspace watches already goes to the connection that is there. The account is known from
what the server says (`connect.py`); where it says nothing, from an object that the other connection holds too.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import stripe

from runtime.database import Connection
from runtime.logs import get_logger
from runtime.vault import Keyring
from schemas.stripe.keys import AcceptedKey
from services.poller import lease as leases
from services.poller.connecting.account import beside, may_be_same
from services.poller.connecting.connect import PURPOSE, Account, Probed, account_of_a_paid_invoice, identify, probe
from services.poller.errors import Stopped
from services.poller.first_sync.shards import plan_missed
from services.poller.kinds import KINDS, OBJECTS
from services.poller.lease import Lease
from services.poller.reading.capabilities import Capabilities, gained, warnings
from services.poller.reading.failures import EDIT_KEY
from services.poller.reading.reader import Reader
from services.poller.reading.server_clock import offset_seconds
from services.poller.session import Shell, say

ABILITY = ", ".join(OBJECTS[kind].permission for kind in KINDS if kind != "dispute")
UNABLE = "The key is valid, but may read nothing that DropFix needs."
log = get_logger(__name__)


async def validate(shell: Shell, lease: Lease, reader: Reader, kind: AcceptedKey, keyring: Keyring) -> Lease | None:
    """The lease with what was learnt of the account, in the phase that follows; None where its key went to the
    connection that is there already.

    Raises the SDK's exceptions, UnreadableAnswer, and Stopped where the key may read nothing that is needed.
    """
    account = await identify(reader)
    columns = {"account_name": account.name, "livemode": kind.livemode}
    await say(shell, lease.owner, **columns, reason=None, remedy=None, last_error=None)
    if await _goes_to_its_account(shell, lease, reader, account.account_id, keyring):
        return None
    probed = await probe(reader)
    found = probed.capabilities
    if not found.any_readable:
        await stop_unable(shell, lease, found)
    reader.capabilities = found
    if account.account_id is None:
        account = replace(account, account_id=probed.account_id or await account_of_a_paid_invoice(reader))
        if await _goes_to_its_account(shell, lease, reader, account.account_id, keyring):
            return None
    same = await _holds_the_same(shell, lease, reader, account.account_id, probed)
    if same is not None and await _hand_over(shell, lease, reader, same, keyring):
        return None
    known = await _remember(shell, lease, reader, account, probed)
    await say_abilities(shell, known, reader, kind)
    return known


async def stop_unable(shell: Shell, lease: Lease, found: Capabilities) -> NoReturn:
    """Raise Stopped: the key may read nothing; the card shows it."""
    await say(shell, lease.owner, permissions=dict(found.permissions))
    raise Stopped(UNABLE, f"{EDIT_KEY} Let it read {ABILITY}, then paste it again.")


async def _remember(shell: Shell, lease: Lease, reader: Reader, account: Account, probed: Probed) -> Lease:
    now = int(shell.clock.now().timestamp())
    as_of = probed.newest or now
    offset = offset_seconds(now=now, newest=probed.newest, active_until=probed.active_until)
    reader.caller.clock_offset = timedelta(seconds=offset)
    learnt = leases.Learnt(account_id=account.account_id, found=probed.capabilities, as_of=as_of, clock_offset=offset)

    def write(conn: Connection) -> bool:
        leases.write_identity(conn, lease.owner, learnt)
        return not lease.synced or _plan_missed(conn, shell, lease, learnt)

    to_read = await shell.outside.run(write)
    await say(shell, lease.owner, account_id=account.account_id, clock_offset=offset)
    return replace(
        lease,
        phase="first_minute" if to_read else "live",
        account_id=account.account_id,
        capabilities=probed.capabilities,
        connected_at=lease.connected_at or as_of,
        clock_offset=offset,
    )


def _plan_missed(conn: Connection, shell: Shell, lease: Lease, learnt: leases.Learnt) -> bool:
    return plan_missed(
        conn,
        lease.connection_id,
        gained(lease.capabilities or Capabilities({}), learnt.found),
        learnt.found,
        as_of=learnt.as_of,
        history_days=shell.settings.history_days,
        now=shell.clock.now(),
    )


async def say_abilities(shell: Shell, lease: Lease, reader: Reader, kind: AcceptedKey) -> None:
    """Show what the key may read, what does not work without the rest, and what other connections mean for it."""
    found, other = reader.capabilities, reader.caller.other_version
    neighbours = await shell.outside.run(lambda conn: leases.neighbours(conn, lease))
    said = warnings(found, key_is_secret=kind.kind == "secret", other_version=other)
    said += beside(lease.account_id, lease.livemode, neighbours)
    await say(shell, lease.owner, permissions=dict(found.permissions), warnings=said)


async def _goes_to_its_account(
    shell: Shell, lease: Lease, reader: Reader, account_id: str | None, keyring: Keyring
) -> bool:
    """Give the key to the workspace's connection of the same account and mode, where there is one; else the account
    is this connection's from now on, so that two keys submitted at once do not both become connections of it."""
    if account_id is None:
        return False
    there = await shell.outside.run(lambda conn: leases.claim_account(conn, lease, account_id))
    return there is not None and await _hand_over(shell, lease, reader, there, keyring)


async def _holds_the_same(
    shell: Shell, lease: Lease, reader: Reader, account_id: str | None, probed: Probed
) -> str | None:
    """A connection whose account nobody names and that holds an object of this account; None where there is none.

    An object's id is its account's alone; its creation is compared too, since not every server is that careful. What
    the other holds may be older than what the probes showed: then one object is asked for by its id.
    """
    neighbours = await shell.outside.run(lambda conn: leases.neighbours(conn, lease))
    candidates = [other.connection_id for other in may_be_same(account_id, lease.livemode, neighbours)]
    if not candidates:
        return None
    seen = [(one.id, one.facts.created) for one in probed.objects]
    if (there := await shell.outside.run(lambda conn: leases.holder_of(conn, candidates, seen))) is not None:
        return there
    for candidate in candidates:
        if await _answers_for(shell, reader, candidate):
            return candidate
    return None


async def _answers_for(shell: Shell, reader: Reader, connection_id: str) -> bool:
    """Whether the key reads an object that the connection holds."""
    kinds: Sequence[str] = [kind for kind in KINDS if reader.capabilities.can_read(kind)]
    sample = await shell.outside.run(lambda conn: leases.object_held(conn, connection_id, kinds))
    if sample is None:
        return False
    try:
        seen = await reader.single(sample.kind, sample.object_id, purpose=PURPOSE)
    except (stripe.InvalidRequestError, stripe.PermissionError):
        return False
    return (seen[0].object.id, seen[0].object.facts.created) == (sample.object_id, sample.created)


async def _hand_over(shell: Shell, lease: Lease, reader: Reader, there: str, keyring: Keyring) -> bool:
    """Give the key to the connection that is there; False where it ended meanwhile."""
    resealed = keyring.public.seal(reader.key.encode(), associated=leases.associated_data(there))
    taken = await shell.outside.run(
        lambda conn: leases.adopt(conn, new_id=lease.connection_id, old_id=there, resealed=resealed)
    )
    log.info("key handed over", connection_id=lease.connection_id, to=there, taken=taken)
    if taken:
        reason = "This account is connected already: its connection goes on with the new key."
        await say(shell, lease.owner, state="stopped", reason=reason)
    return taken
