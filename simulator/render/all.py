"""Which function renders which kind of object."""

from collections.abc import Mapping

from simulator.render import customers, invoices, payments, prices, subscriptions
from simulator.render.view import Renderer

RENDERERS: Mapping[str, Renderer] = {
    "customer": customers.customer,
    "subscription": subscriptions.subscription,
    "invoice": invoices.invoice,
    "invoice_payment": invoices.invoice_payment,
    "charge": payments.charge,
    "bank_charge": payments.charge,
    "payment_intent": payments.payment_intent,
    "dispute": payments.dispute,
    "discount": prices.discount,
}
