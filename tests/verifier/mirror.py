"""The mirror's tables against the raw topics: each column stated once more, as a path into Stripe's object.

"a.b"    the value there            "@a.b"   Unix seconds as a time
"#a"     the id there, of an object that may be expanded
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.verifier.objects import Observed, version_of


def _columns(*named: str, **paths: str) -> dict[str, str]:
    return {name.removeprefix("@"): name for name in named} | paths


TABLES: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "stripe.customer.raw.v1": (
        "customers",
        "customer_id",
        _columns(
            *("name", "email", "phone", "description", "currency", "delinquent", "balance", "tax_exempt", "metadata"),
            created_at="@created",
            country="address.country",
            postal_code="address.postal_code",
            locale="preferred_locales.0",
            default_source_id="#default_source",
            default_payment_method_id="#invoice_settings.default_payment_method",
        ),
    ),
    "stripe.subscription.raw.v1": (
        "subscriptions",
        "subscription_id",
        _columns(
            *("status", "collection_method", "currency", "cancel_at_period_end", "days_until_due", "metadata"),
            *("@trial_start", "@trial_end", "@billing_cycle_anchor", "@cancel_at", "@canceled_at", "@ended_at"),
            customer_id="#customer",
            created_at="@created",
            started_at="@start_date",
            cancellation_reason="cancellation_details.reason",
            pause_behavior="pause_collection.behavior",
            pause_resumes_at="@pause_collection.resumes_at",
            default_payment_method_id="#default_payment_method",
            latest_invoice_id="#latest_invoice",
            price_id="items.data.0.price.id",
            product_id="#items.data.0.price.product",
            unit_amount="items.data.0.price.unit_amount",
            quantity="items.data.0.quantity",
            billing_interval="items.data.0.price.recurring.interval",
            interval_count="items.data.0.price.recurring.interval_count",
        ),
    ),
    "stripe.invoice.raw.v1": (
        "invoices",
        "invoice_id",
        _columns(
            *("number", "status", "billing_reason", "collection_method", "currency", "subtotal", "total"),
            *("starting_balance", "ending_balance", "amount_due", "amount_paid", "amount_remaining", "attempted"),
            *("attempt_count", "auto_advance", "customer_name", "customer_email", "hosted_invoice_url", "metadata"),
            *("@period_start", "@period_end", "@due_date", "@next_payment_attempt"),
            customer_id="#customer",
            subscription_id="#parent.subscription_details.subscription",
            created_at="@created",
            finalized_at="@status_transitions.finalized_at",
            paid_at="@status_transitions.paid_at",
            voided_at="@status_transitions.voided_at",
            marked_uncollectible_at="@status_transitions.marked_uncollectible_at",
        ),
    ),
    "stripe.charge.raw.v1": (
        "charges",
        "charge_id",
        _columns(
            *("status", "amount", "amount_captured", "amount_refunded", "currency", "paid", "captured", "refunded"),
            *("disputed", "failure_code", "failure_message", "description", "metadata"),
            customer_id="#customer",
            payment_intent_id="#payment_intent",
            created_at="@created",
            outcome_type="outcome.type",
            advice_code="outcome.advice_code",
            risk_level="outcome.risk_level",
            payment_method_id="#payment_method",
            payment_method_type="payment_method_details.type",
            card_brand="payment_method_details.card.brand",
            card_last4="payment_method_details.card.last4",
            card_exp_month="payment_method_details.card.exp_month",
            card_exp_year="payment_method_details.card.exp_year",
            billing_country="billing_details.address.country",
        ),
    ),
    "stripe.payment_intent.raw.v1": (
        "payment_intents",
        "payment_intent_id",
        _columns(
            *("status", "amount", "amount_received", "currency", "cancellation_reason", "metadata", "@canceled_at"),
            customer_id="#customer",
            created_at="@created",
            latest_charge_id="#latest_charge",
            payment_method_id="#payment_method",
        ),
    ),
}
"""By topic: the table, the column of the object's id, and what its columns say."""

RAW_TOPICS = tuple(TABLES)


def differences(database: str, objects: Mapping[tuple[str, str, str], Observed]) -> Iterator[str]:
    """Every row that is missing, too many, or says something else than the topics do."""
    for topic, (table, key, columns) in TABLES.items():
        rows = _rows(database, table, key)
        wanted = {(place[1], place[2]): one for place, one in objects.items() if place[0] == topic}
        yield from (f"{table} lacks {place[1]}" for place in wanted.keys() - rows.keys())
        yield from (f"{table} has {place[1]}, which is in no topic" for place in rows.keys() - wanted.keys())
        for place in wanted.keys() & rows.keys():
            yield from (f"{table} {place[1]}: {said}" for said in _against(rows[place], wanted[place], columns))


def _rows(database: str, table: str, key: str) -> dict[tuple[str, str], dict[str, Any]]:
    statement = sql.SQL("SELECT * FROM {}").format(sql.Identifier("mirror", table))
    with psycopg.connect(database, row_factory=dict_row) as connection:
        return {(row["connection_id"], row[key]): row for row in connection.execute(statement)}


def _against(row: Mapping[str, Any], one: Observed, columns: Mapping[str, str]) -> Iterator[str]:
    if row["version"] != version_of(one.latest):
        yield f"is version {row['version']}, the newest is {version_of(one.latest)} ({one.latest.place})"
        return
    if row["deleted"] != one.gone:
        yield f"deleted is {row['deleted']}"
    if (row["source_partition"], row["source_offset"]) not in one.places_of_latest():
        yield f"is from {row['source_partition']}/{row['source_offset']}, not from {one.latest.place}"
    if row["workspace_id"] != one.latest.header("ce_workspaceid"):
        yield f"is of the workspace {row['workspace_id']}"
    content = one.content
    for column, path in columns.items():
        wanted = None if content is None else read(content, path)
        if (found := _plain(row[column])) != wanted:
            yield f"{column} is {found!r}, Stripe said {wanted!r}"


def read(content: Any, path: str) -> Any:
    """The value at a path; None where it is not there."""
    readers: dict[str, Callable[[Any], Any]] = {"#": _id}
    value = content
    for name in path.lstrip("@#").split("."):
        if isinstance(value, list):
            value = value[int(name)] if len(value) > int(name) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return readers.get(path[0], lambda found: found)(value)


def _id(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else value


def _plain(value: Any) -> Any:
    return int(value.timestamp()) if isinstance(value, datetime) else value
