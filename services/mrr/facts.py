"""One fact: what a record says that bears on a customer's or a user's MRR."""

import msgspec

from schemas.catalogue import STRIPE_CUSTOMER_RAW, STRIPE_INVOICE_RAW, STRIPE_SUBSCRIPTION_RAW
from schemas.stripe.objects import StripeObject
from services.mrr.evidence import bears
from services.mrr.plans import PlanName
from services.mrr.reading import read_customer, read_invoice, read_subscription
from services.mrr.said import with_said
from services.mrr.terms import CustomerTerms, InvoiceTerms, Said, SubscriptionTerms
from services.mrr.timeline import Facts, Merged, Seen, with_customer, with_invoice, with_subscription


class Fact(msgspec.Struct, frozen=True, gc=False):
    """An observation of an object. `terms` None: it says nothing of MRR (a deleted customer, an invoice of no
    subscription). `plans` are the names of prices that it shows; no ledger goes by them."""

    workspace_id: str
    connection_id: str
    object_id: str
    seen: Seen
    terms: SubscriptionTerms | CustomerTerms | InvoiceTerms | None
    plans: tuple[PlanName, ...] = ()


class UserFact(msgspec.Struct, frozen=True, gc=False):
    """What the product said of a user's MRR."""

    workspace_id: str
    user_id: str
    said: Said


def read_terms(topic: str, obj: StripeObject) -> SubscriptionTerms | CustomerTerms | InvoiceTerms | None:
    """The terms in an object of a raw topic (its catalogue name); raises Unreadable."""
    if topic == STRIPE_SUBSCRIPTION_RAW.name:
        return read_subscription(obj)
    if topic == STRIPE_CUSTOMER_RAW.name:
        return read_customer(obj)
    if topic == STRIPE_INVOICE_RAW.name:
        return read_invoice(obj)
    raise ValueError(f"mrr does not read {topic}")


def merge_fact(facts: Facts, fact: Fact | UserFact) -> Merged:
    """The facts with one more. Commutative and idempotent."""
    if isinstance(fact, UserFact):
        return with_said(facts, fact.said)
    if isinstance(fact.terms, SubscriptionTerms):
        return with_subscription(facts, fact.object_id, fact.seen, fact.terms)
    if isinstance(fact.terms, CustomerTerms):
        return with_customer(facts, fact.seen, fact.terms)
    if isinstance(fact.terms, InvoiceTerms):
        merged = with_invoice(facts, fact.seen, fact.terms)
        return Merged(merged.facts, merged.bears and bears(facts, merged.facts, fact.terms), merged.pays)
    return Merged(facts, bears=False)
