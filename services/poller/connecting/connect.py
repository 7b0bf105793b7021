"""Connecting: is the key accepted, which account is it, what may it read, what does the server give.

One call validates and identifies: `/v1/account` gives the account to a key that may read it, and to any other valid
key a 403 whose text names the account; only a key that is no key gets 401. Then the six lists, the expansions that
MRR needs and the searches are probed side by side. Where the first call told no account, what the probes show may.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import stripe

from schemas.stripe.subscriptions import current_period
from services.poller.connecting.account import account_in, account_of
from services.poller.errors import UnreadableAnswer
from services.poller.kinds import KINDS, Kind
from services.poller.reading.capabilities import WANTED, Capabilities, Permission
from services.poller.reading.pages import ReadObject
from services.poller.reading.queries import Query
from services.poller.reading.reader import PageRead, Reader
from services.poller.together import first_of, together

PURPOSE = "connect"
SEARCHES: dict[Kind, str] = {"customer": "created>0", "subscription": "canceled_at>0", "charge": 'status:"failed"'}
"""The searches that the poller uses; each is tried once."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the key belongs to, as far as it can be known."""

    account_id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found. Of Stripe's clock: `newest` is the newest instant that was seen, None in an empty account;
    `active_until` the end of an active subscription's current period. `account_id` is what refusals and addresses
    name, `objects` the newest one of each list."""

    capabilities: Capabilities
    newest: int | None
    active_until: int | None = None
    account_id: str | None = None
    objects: tuple[ReadObject, ...] = ()


class _Profile(msgspec.Struct):
    name: str | None = None


class _Settings(msgspec.Struct):
    display_name: str | None = None


class _Dashboard(msgspec.Struct):
    dashboard: _Settings | None = None


class _Account(msgspec.Struct):
    id: str | None = None
    business_profile: _Profile | None = None
    settings: _Dashboard | None = None


async def identify(reader: Reader) -> Account:
    """Validate the key with one call and learn its account.

    Raises stripe.AuthenticationError where the key is not accepted; whatever else the server says of this one page is
    no reason to refuse: some servers do not have it.
    """
    try:
        answer = await reader.ask("/v1/account", {}, purpose=PURPOSE)
    except stripe.PermissionError as error:
        return Account(account_in(error.user_message), None)
    except stripe.InvalidRequestError:
        return Account(None, None)
    try:
        found = msgspec.json.decode(answer.body, type=_Account)
    except msgspec.DecodeError:
        return Account(None, None)
    shown = found.settings and found.settings.dashboard and found.settings.dashboard.display_name
    return Account(found.id, shown or (found.business_profile and found.business_profile.name) or None)


async def probe(reader: Reader) -> Probed:
    """What the key and the server give. Raises what is neither a missing permission nor a lacking server."""
    try:
        async with asyncio.TaskGroup() as group:
            listing = group.create_task(together(_probe_list(reader, kind) for kind in KINDS))
            searching = group.create_task(together(_probe_search(reader, *each) for each in SEARCHES.items()))
            active_until = group.create_task(_active_until(reader))
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None
    lists = listing.result()
    permissions: dict[str, Permission] = {each.kind: each.permission for each in lists}
    refused = alike(f"{each.kind}:{path}" for each in lists for path in sorted(each.refused))
    searchable = tuple(kind for kind in searching.result() if kind)
    found = Capabilities(permissions, refused, searchable, reader.caller.other_version)
    return Probed(
        found,
        newest=max((at for each in lists if (at := each.newest) is not None), default=None),
        active_until=active_until.result(),
        account_id=_account_named(lists),
        objects=tuple(one for each in lists for one in each.objects),
    )


async def newly_able(reader: Reader) -> bool:
    """Whether the key can read a list that it could not, or the server has a search that it had not: permissions are
    edited in Stripe, without a new key."""
    able = reader.capabilities
    lists = await together(_probe_list(reader, kind) for kind in KINDS if not able.can_read(kind))
    lacking = [kind for kind in SEARCHES if able.can_read(kind) and not able.can_search(kind)]
    searches = await together(_probe_search(reader, kind, SEARCHES[kind]) for kind in lacking)
    return any(each.permission == "granted" for each in lists) or any(searches)


def alike(refused: Iterable[str]) -> tuple[str, ...]:
    """Refused expansions, so that every read of an object has the same: an invoice whose own list gives no payments is
    not asked for them through its subscription either, or each read would look like a change of the one before."""
    found = dict.fromkeys(refused)
    if "invoice:payments" in found:
        found["subscription:latest_invoice.payments"] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the probe of one list told: its newest object, expansions that the server refuses, and the account that a
    refusal names."""

    kind: Kind
    permission: Permission
    refused: frozenset[str] = frozenset()
    objects: tuple[ReadObject, ...] = ()
    refused_account: str | None = None

    @property
    def newest(self) -> int | None:
        facts = [found.facts for found in self.objects]
        instants = [at for each in facts for at in (each.created, each.period_start, each.canceled_at)]
        return max((at for at in instants if at is not None), default=None)


async def _probe_list(reader: Reader, kind: Kind) -> _Listed:
    try:
        read = await _first(reader, kind, WANTED[kind])
    except (stripe.PermissionError, stripe.InvalidRequestError) as error:
        if not WANTED[kind]:
            return _Listed(kind, "missing", refused_account=_named_by(error))
        return await _probe_apart(reader, kind)
    lost = frozenset(path for one in read.page.listed for path in lost_expansions(kind, msgspec.json.decode(one.raw)))
    return _Listed(kind, "granted", lost, read.page.listed)


def lost_expansions(kind: Kind, content: object) -> frozenset[str]:
    """Expansions that were asked for and did not come, without a word: there are ids where objects should be, or
    nothing where Stripe gives a list only to who asks for it."""
    return frozenset(
        path
        for path in WANTED[kind]
        for value in _values_at(content, path.split("."))
        if isinstance(value, str) or (value is None and path.endswith("payments"))
    )


def _values_at(value: object, path: Sequence[str]) -> Iterator[object]:
    """What is at a path, through lists."""
    if isinstance(value, dict) and value.get("object") == "list":
        value = value.get("data")
    if isinstance(value, list):
        for each in value:
            yield from _values_at(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict):
        yield from _values_at(value.get(path[0]), path[1:])


async def _probe_apart(reader: Reader, kind: Kind) -> _Listed:
    """The list without expansions, and then each expansion by itself, the shorter paths first."""
    try:
        plain = await _first(reader, kind, frozenset())
    except (stripe.PermissionError, stripe.InvalidRequestError) as error:
        return _Listed(kind, "missing", refused_account=_named_by(error))
    refused: set[str] = set()
    for path in sorted(WANTED[kind], key=len):
        if any(path.startswith(f"{lacking}.") for lacking in refused):
            continue
        try:
            await _first(reader, kind, frozenset({path}))
        except (stripe.PermissionError, stripe.InvalidRequestError):
            refused.add(path)
    return _Listed(kind, "granted", frozenset(refused), plain.page.listed)


def _named_by(error: stripe.StripeError) -> str | None:
    """The account that a refusal names; another error may name whatever it likes."""
    return account_in(error.user_message) if isinstance(error, stripe.PermissionError) else None


def _account_named(lists: Sequence[_Listed]) -> str | None:
    """The account as the probes name it."""
    named = [each.refused_account for each in lists]
    named += [_account_of(one) for each in lists for one in each.objects]
    return next((account for account in named if account), None)


def _account_of(found: ReadObject) -> str | None:
    return account_of(msgspec.json.decode(found.raw, type=dict[str, object]))


async def account_of_a_paid_invoice(reader: Reader) -> str | None:
    """One more read while the account is unknown: the newest invoice may be a draft, whose page has no address yet."""
    if not reader.capabilities.can_read("invoice"):
        return None
    paid = await reader.page(Query("invoice", filters={"status": "paid"}, limit=1), purpose=PURPOSE)
    return next((account for one in paid.page.listed if (account := _account_of(one))), None)


async def _first(reader: Reader, kind: Kind, expand: frozenset[str]) -> PageRead:
    filters = {"status": "all"} if kind == "subscription" else {}
    return await reader.page(Query(kind, filters=filters, expand=expand, limit=1), purpose=PURPOSE)


async def _probe_search(reader: Reader, kind: Kind, query: str) -> Kind | None:
    """The kind if the search answers: in some countries, for some keys and on some servers it does not."""
    try:
        await reader.page(Query(kind, search=query, limit=1), purpose=PURPOSE)
    except (stripe.PermissionError, stripe.InvalidRequestError, UnreadableAnswer):
        return None
    return kind


async def _active_until(reader: Reader) -> int | None:
    """The end of the current period of an active subscription, None where there is none or none may be read."""
    try:
        active = await reader.page(Query("subscription", filters={"status": "active"}, limit=1), purpose=PURPOSE)
    except (stripe.PermissionError, stripe.InvalidRequestError):
        return None
    for found in active.page.listed:
        _, end = current_period(msgspec.json.decode(found.raw))
        return int(end.timestamp()) if end else None
    return None


async def count_customers(reader: Reader, *, until: int) -> int | None:
    """How many customers there are, by search; None where it cannot tell.

    Stripe's total is exact up to 10,000 only: above, the range of creation is halved until every part is below.
    """
    if not reader.capabilities.can_search("customer"):
        return None
    try:
        return await _count_between(reader, 0, until + 1)
    except (stripe.PermissionError, stripe.InvalidRequestError):
        return None


_FOUNDED = 1_293_840_000  # 2011: no account of Stripe's is older, so the halves below it would be empty
_EXACT_UP_TO = 10_000


async def _count_between(reader: Reader, since: int, until: int) -> int | None:
    search = f"created>={since} AND created<{until}"
    query = replace(Query("customer", search=search, limit=1), filters={"expand[]": "total_count"})
    total = (await reader.page(query, purpose="first_minute")).page.total_count
    since = max(since, _FOUNDED)
    if total is None or total < _EXACT_UP_TO or until - since < 2:
        return total
    middle = (since + until) // 2
    halves = await together((_count_between(reader, since, middle), _count_between(reader, middle, until)))
    return None if None in halves else sum(half or 0 for half in halves)
