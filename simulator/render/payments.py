"""Charges, payment intents, refunds and disputes."""

from simulator.company.model import Charge, Decline, Dispute, PaymentIntent, PaymentMethod
from simulator.ids import Kind
from simulator.render.customers import billing_details, details, payment_method
from simulator.render.view import INLINE, Json, Shape, Tree, View, inline_list

_REASON_TEXT = {
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription update",
    "subscription_update": "Subscription update",
}
_NETWORK_REASONS = {"fraudulent": "10.4", "duplicate": "12.6", "subscription_canceled": "13.2"}


def charge_kind(taken: Charge) -> Kind:
    """Bank debits have ids of another prefix."""
    return "charge" if taken.method.kind == "card" else "bank_charge"


_EMPTY_CHARGE = dict.fromkeys(
    (
        "application",
        "application_fee",
        "application_fee_amount",
        "failure_balance_transaction",
        "on_behalf_of",
        "receipt_email",
        "receipt_number",
        "review",
        "shipping",
        "source",
        "source_transfer",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    )
)
"""What no charge of the company has."""


def charge(view: View, taken: Charge, tree: Tree) -> Json:
    """One attempt on a payment method, whatever came of it."""
    name = view.id(charge_kind(taken), taken)
    done = taken.status == "succeeded"
    bill = taken.intent.invoice
    found: Json = {
        **_EMPTY_CHARGE,
        "id": name,
        "object": "charge",
        "amount": taken.amount,
        "amount_captured": taken.amount if done else 0,
        "amount_refunded": taken.amount_refunded,
        "balance_transaction": f"txn_3{name[4:]}" if done else None,
        "billing_details": billing_details(taken.billing_name, taken.billing_email, taken.customer.country),
        "calculated_statement_descriptor": view.business.upper(),
        "captured": done or taken.method.kind != "card",
        "created": taken.created,
        "currency": taken.currency,
        "customer": view.ref(tree, "customer", "customer", taken.customer),
        "description": _REASON_TEXT[bill.reason],
        "disputed": taken.dispute is not None,
        "failure_code": None if taken.decline is None else taken.decline.failure_code,
        "failure_message": None if taken.decline is None else taken.decline.message,
        "fraud_details": {},
        "livemode": view.livemode,
        "metadata": {},
        "outcome": _outcome(taken),
        "paid": taken.status != "failed",
        "payment_intent": view.ref(tree, "payment_intent", "payment_intent", taken.intent),
        "payment_method": view.id("payment_method", taken.method),
        "payment_method_details": {
            taken.method.kind: details(taken.method, taken.exp_month, taken.exp_year),
            "type": taken.method.kind,
        },
        "radar_options": {},
        "receipt_url": f"https://pay.stripe.com/receipts/invoices/{view.token}{name[3:]}?s=ap" if done else None,
        "refunded": bool(taken.refunds) and taken.amount_refunded == taken.amount,
        "status": taken.status,
    }
    if view.shape == Shape.ACACIA:
        found["invoice"] = view.ref(tree, "invoice", "invoice", bill)
    if "refunds" in tree:
        rows = [_refund(view, taken, place) for place in range(len(taken.refunds))]
        found["refunds"] = inline_list(f"/v1/charges/{name}/refunds", rows[:INLINE], len(rows), view.shape)
    return found


def _outcome(taken: Charge) -> Json | None:
    decline = taken.decline
    if taken.status == "pending" and taken.method.kind != "card":
        return None
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 12,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    blocked = decline.outcome == "blocked"
    return {
        "advice_code": decline.advice_code,
        "network_advice_code": None,
        "network_decline_code": decline.network_code,
        "network_status": "not_sent_to_network" if blocked else "declined_by_network",
        "reason": decline.reason,
        "risk_level": "highest" if blocked else "normal",
        "risk_score": 92 if blocked else 12,
        "seller_message": "Stripe blocked this payment as too risky."
        if blocked
        else f"The bank returned the decline code `{decline.reason}`.",
        "type": decline.outcome,
    }


def _refund(view: View, taken: Charge, place: int) -> Json:
    refund = taken.refunds[place]
    return {
        "id": view.id("refund", refund),
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": None,
        "charge": view.id(charge_kind(taken), taken),
        "created": refund.created,
        "currency": taken.currency,
        "metadata": {},
        "payment_intent": view.id("payment_intent", taken.intent),
        "reason": "requested_by_customer",
        "status": "succeeded",
    }


_EMPTY_INTENT = dict.fromkeys(
    (
        "application",
        "application_fee_amount",
        "automatic_payment_methods",
        "excluded_payment_method_types",
        "on_behalf_of",
        "payment_method_configuration_details",
        "processing",
        "receipt_email",
        "review",
        "shipping",
        "source",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    )
)
"""What no payment intent of the company has."""


def payment_intent(view: View, intent: PaymentIntent, tree: Tree) -> Json:
    """What an invoice is collected by, attempt after attempt."""
    name = view.id("payment_intent", intent)
    kind = "card" if intent.method is None else intent.method.kind
    found: Json = {
        **_EMPTY_INTENT,
        "id": name,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": intent.amount if intent.status == "succeeded" else 0,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": "automatic",
        "client_secret": f"{name}_secret_{intent.number:x}",
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": view.ref(tree, "customer", "customer", intent.customer),
        "description": _REASON_TEXT[intent.invoice.reason],
        "last_payment_error": _last_error(view, intent),
        "latest_charge": _latest_charge(view, intent, tree),
        "livemode": view.livemode,
        "metadata": {},
        "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}} if intent.status == "requires_action" else None,
        "payment_method": None if intent.method is None else view.id("payment_method", intent.method),
        "payment_method_options": {},
        "payment_method_types": [kind],
        "setup_future_usage": "off_session",
        "status": intent.status,
    }
    if view.shape == Shape.ACACIA:
        found["invoice"] = view.ref(tree, "invoice", "invoice", intent.invoice)
    if view.shape >= Shape.CLOVER:
        found["customer_account"] = None
        order = view.id("invoice", intent.invoice)
        found["payment_details"] = {"customer_reference": None, "order_reference": order}
    return found


def _latest_charge(view: View, intent: PaymentIntent, tree: Tree) -> str | Json | None:
    taken = intent.latest_charge
    return None if taken is None else view.ref(tree, "latest_charge", charge_kind(taken), taken)


def _last_error(view: View, intent: PaymentIntent) -> Json | None:
    """The last attempt's error; an attempt that made no charge leaves none."""
    decline, method = intent.error, intent.method
    if decline is None or method is None or not decline.charged or intent.status in {"succeeded", "canceled"}:
        return None
    return _error(view, intent, decline, method)


def _error(view: View, intent: PaymentIntent, decline: Decline, method: PaymentMethod) -> Json:
    taken = intent.latest_charge
    found: Json = {
        "advice_code": decline.advice_code,
        "charge": None if taken is None else view.id(charge_kind(taken), taken),
        "code": decline.failure_code,
        "decline_code": decline.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.failure_code.replace('_', '-')}",
        "message": decline.message,
        "network_decline_code": decline.network_code,
        "payment_method": payment_method(view, method, intent.customer),
        "type": "card_error",
    }
    return {field: value for field, value in found.items() if value is not None}


def dispute(view: View, case: Dispute, tree: Tree) -> Json:
    """A charge that its cardholder contests or asks about."""
    taken = case.charge
    return {
        "id": view.id("dispute", case),
        "object": "dispute",
        "amount": case.amount,
        "balance_transactions": [],
        "charge": view.ref(tree, "charge", charge_kind(taken), taken),
        "created": case.created,
        "currency": case.currency,
        "enhanced_eligibility_types": [],
        "evidence": dict(_EVIDENCE, enhanced_evidence={}),
        "evidence_details": {
            "due_by": case.due_by,
            "enhanced_eligibility": {},
            "has_evidence": case.submitted,
            "past_due": False,
            "submission_count": 1 if case.submitted else 0,
        },
        "is_charge_refundable": case.status.startswith("warning"),
        "livemode": view.livemode,
        "metadata": {},
        "payment_intent": view.ref(tree, "payment_intent", "payment_intent", taken.intent),
        "payment_method_details": {
            "card": {
                "brand": taken.method.brand,
                "case_type": "inquiry" if case.status.startswith("warning") else "chargeback",
                "network": taken.method.brand,
                "network_reason_code": _NETWORK_REASONS.get(case.reason, "13.1"),
            },
            "type": "card",
        },
        "reason": case.reason,
        "status": case.status,
    }


_EVIDENCE = dict.fromkeys(
    (
        "access_activity_log",
        "billing_address",
        "cancellation_policy",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_communication",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "customer_signature",
        "duplicate_charge_documentation",
        "duplicate_charge_explanation",
        "duplicate_charge_id",
        "product_description",
        "receipt",
        "refund_policy",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "service_documentation",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_documentation",
        "shipping_tracking_number",
        "uncategorized_file",
        "uncategorized_text",
    )
)
