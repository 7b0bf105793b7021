"""Which account a key belongs to, where no page says so, and what its neighbours in the workspace mean. Pure.

An account without the permission to read itself is named by what Stripe says elsewhere: by the text of a refusal, by
the address of an invoice's page, by the blob in a receipt's address. A Stripe-compatible server may do none of that;
then only an object that a connection of the workspace holds already tells that the account is the same.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]+")
_BLOB_MARK = b"acct_"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another connection of the workspace that was not disconnected."""

    connection_id: str
    account_id: str | None
    name: str | None
    livemode: bool
    same_server: bool

    @property
    def shown(self) -> str:
        """The account as a person knows it."""
        return self.name or self.account_id or "the one connected before"


def account_in(text: str | None) -> str | None:
    """The account that a text of Stripe's names: a refusal names the one whose key was used."""
    found = _ACCOUNT.search(text or "")
    return found[0] if found else None


def account_of(content: Mapping[str, Any]) -> str | None:
    """The account that an object's own addresses name; None where they name none."""
    for field in ("hosted_invoice_url", "invoice_pdf"):
        if isinstance(address := content.get(field), str) and (found := account_in(urlsplit(address).path)):
            return found
    receipt = content.get("receipt_url")
    return _account_of_receipt(receipt) if isinstance(receipt, str) else None


def _account_of_receipt(address: str) -> str | None:
    """A receipt's address carries a protocol buffer in base64: the account's length stands before the account."""
    for part in urlsplit(address).path.split("/"):
        try:
            blob = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            continue
        at = blob.find(_BLOB_MARK)
        if at > 0 and (found := account_in(blob[at : at + blob[at - 1]].decode(errors="replace"))):
            return found
    return None


def may_be_same(account_id: str | None, livemode: bool, neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Neighbours that could be the same account though nobody says so: one of the two is not known."""
    return [
        other
        for other in neighbours
        if other.same_server and other.livemode == livemode and None in (account_id, other.account_id)
    ]


def beside(account_id: str | None, livemode: bool, neighbours: Sequence[Neighbour]) -> list[str]:
    """Sentences for the card: what it means that the workspace has other connections."""
    said = [
        f"Nothing tells whether this is the same account as {other.shown}, which is connected too. If it is, "
        "disconnect one of the two, or its figures count twice."
        for other in may_be_same(account_id, livemode, neighbours)
    ]
    others = dict.fromkeys(other.shown for other in neighbours if _is_another(other, account_id, livemode))
    said += [
        f"This is another account than {name}, which is connected too: its figures are added to that one’s."
        for name in others
    ]
    if any(other.livemode != livemode for other in neighbours):
        said.append(
            "There is a connection in test mode too: figures are those of live mode from now on, test ones are apart."
            if livemode
            else "An account is connected in live mode, so the figures of this one, in test mode, are shown apart."
        )
    return said


def _is_another(other: Neighbour, account_id: str | None, livemode: bool) -> bool:
    return other.livemode == livemode and None not in (account_id, other.account_id) and account_id != other.account_id
