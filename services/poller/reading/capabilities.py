"""What a key and a server give: learnt by probing at connect, kept, and never assumed. Pure.

Permissions are of five lists and, optionally, disputes. A server may lack search, or be unable to expand a field;
every use has its fallback, and what does not work without something is said in words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from schemas.stripe.keys import FULL_ACCESS_WARNING
from services.poller.kinds import CHILDREN, OBJECTS, Kind
from services.poller.reading.pages import Belonging
from services.poller.reading.queries import Query

Permission = Literal["granted", "missing", "unknown"]

WANTED: dict[Kind, frozenset[str]] = {
    "customer": frozenset(),
    "subscription": frozenset(
        {"discounts", "items.data.discounts", "customer", "latest_invoice", "latest_invoice.payments"}
    ),
    "invoice": frozenset({"payments"}),
    "charge": frozenset({"payment_intent"}),
    "payment_intent": frozenset(),
    "dispute": frozenset(),
}
"""The expansions that are asked for in reads of a kind, relative to it, where the server gives them."""

WITHOUT_PERMISSION: dict[Kind, str] = {
    "customer": "customers are not counted, and signals carry neither name nor e-mail address",
    "subscription": "there is no MRR, and lapsed subscriptions are not found",
    "invoice": "failed payments are not found and no dunning e-mail can be sent",
    "charge": "the reason of a failed payment is unknown, and failures are seen later",
    "payment_intent": "a failed charge is matched with its invoice later",
    "dispute": "disputes are not shown (optional)",
}
WITHOUT_EXPANSION: dict[str, str] = {
    "discounts": "discounts of subscriptions cannot be read here, so MRR takes them from the latest invoice",
    "items.data.discounts": "discounts of single items cannot be read here, so MRR takes them from the latest invoice",
    "payments": "payments of invoices cannot be read here, so a charge is matched with its invoice later",
    "customer": "customers cannot be read with their subscriptions here, so a change of one is seen later",
    "latest_invoice": "invoices cannot be read with their subscriptions here, so a failed renewal is seen later",
    "payment_intent": "payment intents cannot be read with their charges here, so they are seen later",
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What was found. `refused` names expansions as `kind:path`; `searchable` the searches that answer;
    `other_version` is the API version that the server answers in where it is not the one asked for."""

    permissions: dict[str, Permission]
    refused: tuple[str, ...] = ()
    searchable: tuple[str, ...] = ()
    other_version: str | None = None

    def can_read(self, kind: Kind) -> bool:
        return self.permissions.get(kind) == "granted"

    @property
    def any_readable(self) -> bool:
        return "granted" in self.permissions.values()

    def can_search(self, kind: Kind) -> bool:
        return kind in self.searchable and self.can_read(kind)

    def expansions(self, kind: Kind, wanted: Iterable[str] | None = None) -> frozenset[str]:
        """The expansions to ask for: what is wanted (by default everything) without what the server refuses."""
        asked = WANTED[kind] if wanted is None else frozenset(wanted)
        lacking = {path.partition(":")[2] for path in self.refused if path.startswith(f"{kind}:")}
        return frozenset(path for path in asked if not any(path == no or path.startswith(f"{no}.") for no in lacking))

    @property
    def belonging(self) -> Belonging:
        """What makes each kind whole on this server."""
        return {kind: tuple(sorted(self.expansions(kind, of.belongs))) for kind, of in OBJECTS.items()}

    def query(self, kind: Kind, *, filters: Mapping[str, str] | None = None, search: str | None = None) -> Query:
        """A query of that kind with every expansion that it can have."""
        return Query(kind, filters=dict(filters or {}), expand=self.expansions(kind), search=search)

    def without(self, kind: Kind) -> "Capabilities":
        """The same, where this kind cannot be read."""
        return replace(self, permissions={**self.permissions, kind: "missing"})

    def no_more_than(self, before: "Capabilities") -> "Capabilities":
        """The same, less what it gives more than before: what was missed of that is read when it is validated."""
        return replace(
            self,
            permissions={
                kind: was if was != "granted" else self.permissions[kind] for kind, was in before.permissions.items()
            },
            refused=tuple(dict.fromkeys((*before.refused, *self.refused))),
            searchable=tuple(kind for kind in self.searchable if kind in before.searchable),
        )

    def without_search(self) -> "Capabilities":
        """The same, after a search was refused that was answered before: lists take its place."""
        return replace(self, searchable=())


def gained(before: Capabilities, now: Capabilities) -> frozenset[Kind]:
    """Kinds that can be read now and could not before, or not whole: what was missed of them is to be read. A search
    that is regained is no such thing: lists took its place."""
    return frozenset(
        kind
        for kind, of in OBJECTS.items()
        if now.can_read(kind)
        and not (before.can_read(kind) and now.expansions(kind, of.belongs) <= before.expansions(kind, of.belongs))
    )


def warnings(found: Capabilities, *, key_is_secret: bool, other_version: str | None = None) -> list[str]:
    """Sentences for the card: what is missing, and what does not work without it.

    `other_version` is the API version that the server answers in where it is not the one asked for.
    """
    said = []
    if other_version is not None:
        said.append(
            f"The server answers in API version {other_version}, not in the one asked for; its objects are read as far "
            "as they are known."
        )
    if key_is_secret:
        said.append(FULL_ACCESS_WARNING)
    for kind, text in WITHOUT_PERMISSION.items():
        if found.permissions.get(kind) == "missing":
            said.append(f"The permission “{OBJECTS[kind].permission}: Read” is missing: {text}.")
    for path in found.refused:
        field = path.partition(":")[2]
        if (lost := WITHOUT_EXPANSION.get(field)) and (field not in CHILDREN or found.can_read(CHILDREN[field])):
            said.append(f"{lost[0].upper()}{lost[1:]}.")
    if not found.searchable:
        said.append("This account has no search; counting and finding cancellations take a little longer.")
    return said
