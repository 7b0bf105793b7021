"""Customers."""

from schemas.stripe.objects import StripeObject, id_of, path
from schemas.stripe.subscriptions import coupon_id, discounts_of
from services.mirror.columns import Row, Table, flag, json, seconds, text, whole


def row_of(customer: StripeObject, _owner: str) -> Row:
    """The columns of CUSTOMERS. The balance in minor units, times in UTC; None where Stripe does not say."""
    discounts = discounts_of(customer)
    locales = customer.get("preferred_locales")
    return {
        "name": text(customer.get("name")),
        "email": text(customer.get("email")),
        "phone": text(customer.get("phone")),
        "description": text(customer.get("description")),
        "created_at": seconds(customer.get("created")),
        "currency": text(customer.get("currency")),
        "delinquent": flag(customer.get("delinquent")),
        "balance": whole(customer.get("balance")),
        "country": text(path(customer, "address", "country")),
        "postal_code": text(path(customer, "address", "postal_code")),
        "locale": text(locales[0]) if isinstance(locales, list) and locales else None,
        "tax_exempt": text(customer.get("tax_exempt")),
        "default_source_id": text(id_of(customer.get("default_source"))),
        "default_payment_method_id": text(id_of(path(customer, "invoice_settings", "default_payment_method"))),
        "coupon_id": text(coupon_id(discounts[0])) if discounts else None,
        "metadata": json(customer.get("metadata")),
    }


CUSTOMERS = Table(
    kind="customer",
    name="customers",
    key="customer_id",
    columns={
        "name": "text",
        "email": "text",
        "phone": "text",
        "description": "text",
        "created_at": "timestamptz",
        "currency": "text",
        "delinquent": "boolean",
        "balance": "bigint",
        "country": "text",
        "postal_code": "text",
        "locale": "text",
        "tax_exempt": "text",
        "default_source_id": "text",
        "default_payment_method_id": "text",
        "coupon_id": "text",
        "metadata": "jsonb",
    },
    read=row_of,
)
