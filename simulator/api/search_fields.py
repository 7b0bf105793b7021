"""What can be searched for, resource by resource."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.company.model import Charge, Customer
from simulator.ids import Ids

Getter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Searchable:
    """The fields of a resource: numbers, words, and those of them that may change (what the index remembers)."""

    numbers: Mapping[str, Getter]
    words: Mapping[str, Getter]
    changing: tuple[str, ...]

    @property
    def fields(self) -> frozenset[str]:
        """Their names."""
        return frozenset(self.numbers) | frozenset(self.words) | {"metadata"}

    def read(self, thing: Any, field: str) -> Any:
        """The value of a field, None where there is none; `metadata.<key>` reads one key."""
        if field.startswith("metadata."):
            metadata = {"user_id": thing.user_id} if isinstance(thing, Customer) else {}
            return metadata.get(field.removeprefix("metadata."))
        getter = self.numbers.get(field) or self.words[field]
        return getter(thing)


def searchables(ids: Ids) -> Mapping[str, Searchable]:
    """By resource name."""

    def owner(thing: Any) -> str:
        return ids.encode("customer", thing.customer.number)

    def subscription(bill: Any) -> str:
        return ids.encode("subscription", bill.subscription.number)

    return {
        "customers": Searchable(_CREATED, _CUSTOMER_WORDS, ("email",)),
        "subscriptions": Searchable(
            {**_CREATED, "canceled_at": lambda s: s.canceled_at},
            {"status": _status},
            ("status", "canceled_at"),
        ),
        "invoices": Searchable(
            {**_CREATED, "total": lambda i: i.total},
            {**_INVOICE_WORDS, "customer": owner, "subscription": subscription},
            ("status", "number"),
        ),
        "charges": Searchable(
            _CHARGE_NUMBERS, {**_CHARGE_WORDS, "customer": owner}, ("status", "refunded", "disputed")
        ),
        "payment_intents": Searchable(
            {**_CREATED, "amount": lambda p: p.amount},
            {"currency": _currency, "customer": owner, "status": _status},
            ("status",),
        ),
    }


def _created(thing: Any) -> int:
    return int(thing.created)


def _status(thing: Any) -> str:
    return str(thing.status)


def _currency(thing: Any) -> str:
    return str(thing.currency)


def _never(thing: Any) -> None:
    """A field that is null on every object of the company."""


def _flag(holds: bool) -> str:
    return str(holds).lower()


def _refunded(charge: Charge) -> str:
    return _flag(bool(charge.refunds) and charge.amount_refunded == charge.amount)


def _of_card(read: Getter) -> Getter:
    return lambda charge: read(charge.method) if charge.method.kind == "card" else None


_CREATED: Mapping[str, Getter] = {"created": _created}
_CUSTOMER_WORDS: Mapping[str, Getter] = {"email": lambda c: c.email, "name": lambda c: c.name, "phone": _never}
_INVOICE_WORDS: Mapping[str, Getter] = {
    "currency": _currency,
    "number": lambda i: i.label,
    "receipt_number": _never,
    "status": _status,
    "last_finalization_error_code": _never,
    "last_finalization_error_type": _never,
}
_CHARGE_NUMBERS: Mapping[str, Getter] = {
    "created": _created,
    "amount": lambda c: c.amount,
    "payment_method_details.card.exp_month": lambda c: c.exp_month,
    "payment_method_details.card.exp_year": lambda c: c.exp_year,
}
_CHARGE_WORDS: Mapping[str, Getter] = {
    "currency": _currency,
    "disputed": lambda c: _flag(c.dispute is not None),
    "refunded": _refunded,
    "status": _status,
    "payment_method_details.card.brand": _of_card(lambda m: m.brand),
    "payment_method_details.card.last4": _of_card(lambda m: m.last4),
    "payment_method_details.card.fingerprint": lambda c: c.method.fingerprint,
}
