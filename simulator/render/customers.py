"""Customers, living and deleted, and their payment methods as far as other objects show them."""

from simulator.company.model import Customer, PaymentMethod
from simulator.render.prices import discount
from simulator.render.view import INLINE, Json, Shape, Tree, View, address, inline_list


def customer(view: View, who: Customer, tree: Tree) -> Json:
    """A customer; of one who is deleted only that."""
    name = view.id("customer", who)
    if who.deleted_at is not None:
        return {"id": name, "object": "customer", "deleted": True}
    found: Json = {
        "id": name,
        "object": "customer",
        "address": address(who.country),
        "balance": who.balance,
        "created": who.created,
        "currency": who.currency if who.subscriptions else None,
        "default_source": None,
        "delinquent": who.delinquent,
        "description": None,
        "discount": None if who.discount is None else discount(view, who.discount, tree.of("discount")),
        "email": who.email,
        "invoice_prefix": f"{who.number + 0xA0000:05X}",
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None if who.method is None else view.id("payment_method", who.method),
            "footer": None,
            "rendering_options": None,
        },
        "livemode": view.livemode,
        "metadata": {} if who.user_id is None else {"user_id": who.user_id},
        "name": who.name,
        "next_invoice_sequence": who.numbered_invoices + 1,
        "phone": None,
        "preferred_locales": [who.locale],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    if view.shape >= Shape.CLOVER:
        found["customer_account"] = None
    if "subscriptions" in tree:
        found["subscriptions"] = _subscriptions(view, who, tree.of("subscriptions").of("data"))
    return found


def _subscriptions(view: View, who: Customer, tree: Tree) -> Json:
    running = [each for each in reversed(who.subscriptions) if each.status != "canceled"]
    rows = [view.render("subscription", each, tree) for each in running[:INLINE]]
    url = f"/v1/customers/{view.id('customer', who)}/subscriptions"
    return inline_list(url, rows, len(running), view.shape)


def payment_method(view: View, method: PaymentMethod, owner: Customer) -> Json:
    """The whole payment method, as the error of a payment intent carries it."""
    return {
        "id": view.id("payment_method", method),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(owner.name, owner.email, owner.country),
        method.kind: _own_card(method) if method.kind == "card" else _own_account(method),
        "created": owner.created,
        "customer": view.id("customer", owner),
        "livemode": view.livemode,
        "metadata": {},
        "type": method.kind,
    }


def _own_card(method: PaymentMethod) -> Json:
    """The card as a payment method has it: less than a charge tells of it."""
    return {
        "brand": method.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": method.country,
        "display_brand": method.brand,
        "exp_month": method.exp_month,
        "exp_year": method.exp_year,
        "fingerprint": method.fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": method.last4,
        "networks": {"available": [method.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _own_account(method: PaymentMethod) -> Json:
    charged = details(method, method.exp_month, method.exp_year)
    own = {field: value for field, value in charged.items() if field not in {"mandate", "payment_reference"}}
    if method.kind == "sepa_debit":
        return {**own, "generated_from": None}
    return {**own, "financial_connections_account": None, "networks": None, "status_details": None}


def billing_details(name: str, email: str | None, country: str) -> Json:
    return {"address": address(country), "email": email, "name": name, "phone": None, "tax_id": None}


def details(method: PaymentMethod, exp_month: int, exp_year: int) -> Json:
    """What a payment method is, by its kind."""
    if method.kind == "card":
        return _card(method, exp_month, exp_year)
    bank = {"fingerprint": method.fingerprint, "last4": method.last4}
    if method.kind == "sepa_debit":
        return {"bank_code": "37040044", "branch_code": "", "country": method.country, "mandate": None, **bank}
    return {
        "account_holder_type": "company",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "payment_reference": None,
        "routing_number": "110000000",
        **bank,
    }


def _card(method: PaymentMethod, exp_month: int, exp_year: int) -> Json:
    return {
        "authorization_code": None,
        "brand": method.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": method.country,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": method.fingerprint,
        "funding": "credit",
        "installments": None,
        "last4": method.last4,
        "mandate": None,
        "network": method.brand,
        "network_token": {"used": False},
        "three_d_secure": None,
        "wallet": None,
    }
