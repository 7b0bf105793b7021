"""One module per kind of Stripe's objects: its table's columns, and how they are read. Pure."""

from services.mirror.columns import Table
from services.mirror.readers.charges import CHARGES
from services.mirror.readers.customers import CUSTOMERS
from services.mirror.readers.disputes import DISPUTES
from services.mirror.readers.invoices import INVOICES
from services.mirror.readers.payment_intents import PAYMENT_INTENTS
from services.mirror.readers.subscriptions import SUBSCRIPTIONS

TABLES: dict[str, Table] = {
    table.kind: table for table in (CUSTOMERS, SUBSCRIPTIONS, INVOICES, CHARGES, PAYMENT_INTENTS, DISPUTES)
}
"""The tables by the name of Stripe's object."""
