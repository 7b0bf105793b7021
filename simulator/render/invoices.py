"""Invoices, their lines and their payments."""

from simulator.company.model import LINE_BITS, Invoice, Line
from simulator.render.prices import discount, discounts, legacy_plan, price
from simulator.render.view import INLINE, Json, Shape, Tree, View, address, decimal_text, inline_list

_EMPTY = dict.fromkeys(
    (
        "account_tax_ids",
        "application",
        "custom_fields",
        "customer_phone",
        "customer_shipping",
        "default_payment_method",
        "default_source",
        "description",
        "footer",
        "from_invoice",
        "last_finalization_error",
        "latest_revision",
        "on_behalf_of",
        "receipt_number",
        "rendering",
        "shipping_cost",
        "shipping_details",
        "statement_descriptor",
        "test_clock",
    )
)
"""What no invoice of the company has."""


def invoice(view: View, bill: Invoice, tree: Tree) -> Json:
    """An invoice with the first of its lines; `payments` only when they are expanded."""
    name = view.id("invoice", bill)
    page, pdf = _addresses(view, bill)
    found: Json = {
        **_EMPTY,
        "id": name,
        "object": "invoice",
        "account_country": "US",
        "account_name": view.business,
        "attempt_count": bill.attempt_count,
        "attempted": bill.attempted,
        "auto_advance": bill.auto_advance,
        "automatic_tax": {"enabled": False, **dict.fromkeys(("disabled_reason", "liability", "provider", "status"))},
        "automatically_finalizes_at": bill.finalizes_at,
        "billing_reason": bill.reason,
        "collection_method": bill.collection_method,
        "created": bill.created,
        "currency": bill.currency,
        "customer": view.ref(tree, "customer", "customer", bill.customer),
        "default_tax_rates": [],
        "discounts": discounts(view, bill.discounts, tree),
        "due_date": bill.due_date,
        "effective_at": bill.finalized_at,
        "hosted_invoice_url": page,
        "invoice_pdf": pdf,
        "issuer": {"type": "self"},
        "lines": lines(view, bill, tree.of("lines").of("data")),
        "livemode": view.livemode,
        "metadata": {},
        "next_payment_attempt": bill.next_payment_attempt,
        "number": bill.label,
        "payment_settings": dict.fromkeys(("default_mandate", "payment_method_options", "payment_method_types")),
        "period_end": bill.period_end,
        "period_start": bill.period_start,
        "webhooks_delivered_at": bill.created,
        **_standing(bill),
        **_customer(bill),
        **_amounts(view, bill, tree.of("total_discount_amounts")),
    }
    found.update(_old(view, bill, tree) if view.shape == Shape.ACACIA else _new(view, bill, tree))
    return found


def _standing(bill: Invoice) -> Json:
    """Its status, and when it came to it."""
    return {
        "status": bill.status,
        "status_transitions": {
            "finalized_at": bill.finalized_at,
            "marked_uncollectible_at": bill.uncollectible_at,
            "paid_at": bill.paid_at,
            "voided_at": bill.voided_at,
        },
    }


def _customer(bill: Invoice) -> Json:
    """Whom it was made out to, as they were then."""
    return {
        "customer_address": address(bill.customer.country),
        "customer_email": bill.customer_email,
        "customer_name": bill.customer_name,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
    }


def _amounts(view: View, bill: Invoice, tree: Tree) -> Json:
    return {
        "amount_due": bill.amount_due,
        "amount_paid": bill.amount_paid,
        "amount_remaining": bill.amount_remaining,
        "amount_shipping": 0,
        "ending_balance": bill.ending_balance,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": bill.starting_balance,
        "subtotal": bill.subtotal,
        "subtotal_excluding_tax": bill.subtotal,
        "total": bill.total,
        "total_discount_amounts": [
            {"amount": amount, "discount": view.ref(tree, "discount", "discount", given)}
            for given, amount in bill.discount_amounts
        ],
        "total_excluding_tax": bill.total,
        "total_pretax_credit_amounts": [],
    }


def _addresses(view: View, bill: Invoice) -> tuple[str | None, str | None]:
    """The hosted page and the PDF: links whose token is another one at every read."""
    if bill.finalized_at is None:
        return None, None
    mode = "live" if view.livemode else "test"
    path = f"{view.ids.account}/{mode}_{view.token}{view.ids.encode('invoice', bill.number)[3:]}"
    return f"https://invoice.stripe.com/i/{path}?s=ap", f"https://pay.stripe.com/invoice/{path}/pdf?s=ap"


def _old(view: View, bill: Invoice, tree: Tree) -> Json:
    """What acacia had and basil took away."""
    first = bill.discounts[0] if bill.discounts else None
    charge = bill.intent.latest_charge if bill.intent is not None else None
    return {
        "application_fee_amount": None,
        "charge": view.ref(tree, "charge", "charge", charge),
        "discount": None if first is None else discount(view, first, Tree()),
        "paid": bill.status == "paid",
        "paid_out_of_band": bill.out_of_band,
        "payment_intent": view.ref(tree, "payment_intent", "payment_intent", bill.intent),
        "quote": None,
        "subscription": view.ref(tree, "subscription", "subscription", bill.subscription),
        "subscription_details": {"metadata": {}},
        "tax": None,
        "total_tax_amounts": [],
        "transfer_data": None,
    }


def _new(view: View, bill: Invoice, tree: Tree) -> Json:
    """What basil brought, and the versions after it."""
    inner = tree.of("parent").of("subscription_details")
    found: Json = {
        "amount_overpaid": 0,
        "confirmation_secret": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": {},
                "subscription": view.ref(inner, "subscription", "subscription", bill.subscription),
            },
            "type": "subscription_details",
        },
        "total_taxes": [],
    }
    if "payments" in tree:
        found["payments"] = payments(view, bill, tree.of("payments").of("data"))
    if view.shape >= Shape.CLOVER:
        found["customer_account"] = None
    if view.shape >= Shape.DAHLIA:
        found["amount_paid_off_stripe"] = bill.amount_paid if bill.out_of_band else 0
    if view.shape >= Shape.ENDIVE:
        reason = {"reason": bill.uncollectible_reason}
        found["status_details"] = {"uncollectible": reason if bill.status == "uncollectible" else None}
    return found


def lines(view: View, bill: Invoice, tree: Tree) -> Json:
    rows = [line_item(view, bill, place, tree) for place in range(min(INLINE, len(bill.lines)))]
    return inline_list(f"/v1/invoices/{view.id('invoice', bill)}/lines", rows, len(bill.lines), view.shape)


def line_item(view: View, bill: Invoice, place: int, tree: Tree) -> Json:
    """One line of an invoice, by its place."""
    line = bill.lines[place]
    found: Json = {
        "id": view.ids.encode("line_item", bill.number << LINE_BITS | place),
        "object": "line_item",
        "amount": line.amount,
        "currency": bill.currency,
        "description": line.description,
        "discount_amounts": [
            {"amount": amount, "discount": view.id("discount", given)} for given, amount in line.discount_amounts
        ],
        "discountable": not line.proration,
        "discounts": [],
        "invoice": view.id("invoice", bill),
        "livemode": view.livemode,
        "metadata": {},
        "period": {"end": line.end, "start": line.start},
        "pretax_credit_amounts": [],
        "quantity": line.quantity,
    }
    found.update(_old_line(view, bill, line) if view.shape == Shape.ACACIA else _new_line(view, bill, line, tree))
    return found


def _old_line(view: View, bill: Invoice, line: Line) -> Json:
    return {
        "amount_excluding_tax": line.amount,
        "plan": legacy_plan(view, line.plan),
        "price": price(view, line.plan, Tree()),
        "proration": line.proration,
        "proration_details": {"credited_items": None},
        "subscription": view.id("subscription", bill.subscription),
        "subscription_item": view.id("subscription_item", line.item),
        "tax_amounts": [],
        "tax_rates": [],
        "type": "subscription",
        "unit_amount_excluding_tax": decimal_text(line.unit_amount),
    }


def _new_line(view: View, bill: Invoice, line: Line, tree: Tree) -> Json:
    found: Json = {
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": line.proration,
                "proration_details": {"credited_items": None},
                "subscription": view.id("subscription", bill.subscription),
                "subscription_item": view.id("subscription_item", line.item),
            },
            "type": "subscription_item_details",
        },
        "pricing": {
            "price_details": {
                "price": view.id("price", line.plan),
                "product": view.ids.encode("product", line.plan.product),
            },
            "type": "price_details",
            "unit_amount_decimal": decimal_text(line.unit_amount),
        },
        "taxes": [],
    }
    if view.shape >= Shape.DAHLIA:
        found["quantity_decimal"] = None if line.quantity is None else str(line.quantity)
        found["subtotal"] = line.amount
        found["subscription"] = view.ref(tree, "subscription", "subscription", bill.subscription)
    return found


def payments(view: View, bill: Invoice, tree: Tree) -> Json:
    rows = [] if bill.intent is None else [invoice_payment(view, bill, tree)]
    return inline_list(f"/v1/invoice_payments?invoice={view.id('invoice', bill)}", rows, len(rows), view.shape)


def invoice_payment(view: View, bill: Invoice, tree: Tree) -> Json:
    """The link between an invoice and its payment intent; there is one from the day it was finalized."""
    intent = bill.intent
    state = {"succeeded": "paid", "canceled": "canceled"}.get(intent.status, "open") if intent is not None else "open"
    paid = state == "paid"
    return {
        "id": view.ids.encode("invoice_payment", bill.number),
        "object": "invoice_payment",
        "amount_paid": bill.amount_paid if paid else None,
        "amount_requested": bill.amount_due,
        "created": bill.finalized_at,
        "currency": bill.currency,
        "invoice": view.ref(tree, "invoice", "invoice", bill),
        "is_default": True,
        "livemode": view.livemode,
        "payment": {
            "payment_intent": view.ref(tree.of("payment"), "payment_intent", "payment_intent", intent),
            "type": "payment_intent",
        },
        "status": state,
        "status_transitions": {
            "canceled_at": intent.canceled_at if intent is not None else None,
            "paid_at": bill.paid_at if paid else None,
        },
    }
