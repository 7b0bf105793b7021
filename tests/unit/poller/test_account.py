"""Which account a key belongs to, and what other connections mean for it."""

import base64
from dataclasses import replace

import pytest

from services.poller.connecting.account import Neighbour, account_in, account_of, beside, may_be_same

OTHER = Neighbour("con_2", "acct_2", "Northwind", livemode=True, same_server=True)


def test_a_refusal_names_the_account() -> None:
    text = "The provided key 'rk_live_***' does not have the required permissions on account 'acct_1Pgc6tB7'. Having"
    assert account_in(text) == "acct_1Pgc6tB7"
    assert account_in("No such page.") is None
    assert account_in(None) is None


@pytest.mark.parametrize(
    "content",
    [
        {"hosted_invoice_url": "https://invoice.stripe.com/i/acct_1Pgc6tB7/live_YWNjdF8x?s=ap", "invoice_pdf": None},
        {"hosted_invoice_url": None, "invoice_pdf": "https://pay.stripe.com/invoice/acct_1Pgc6tB7/x/pdf"},
        {
            "receipt_url": "https://pay.stripe.com/receipts/payment/"
            + base64.urlsafe_b64encode(b"\x1a\x0f\x0a\x0dacct_1Pgc6tB7(xyz\x92\x06").decode().rstrip("=")
        },
    ],
)
def test_the_addresses_of_invoices_and_receipts_name_the_account(content: dict[str, str | None]) -> None:
    assert account_of(content) == "acct_1Pgc6tB7"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"hosted_invoice_url": None, "invoice_pdf": None, "receipt_url": None},
        {"receipt_url": "https://pay.stripe.com/receipts/invoices/0123456789abcdef?s=ap"},
        {"hosted_invoice_url": "https://example.com/invoices/1?for=acct_1"},
    ],
)
def test_an_object_without_such_an_address_names_none(content: dict[str, str | None]) -> None:
    assert account_of(content) is None


def test_two_connections_may_be_one_account_where_either_is_unknown() -> None:
    assert may_be_same(None, True, [OTHER]) == [OTHER]
    assert may_be_same("acct_1", True, [replace(OTHER, account_id=None)]) == [replace(OTHER, account_id=None)]
    assert may_be_same("acct_1", True, [OTHER]) == []
    assert may_be_same(None, False, [OTHER]) == []
    assert may_be_same(None, True, [replace(OTHER, same_server=False)]) == []


def test_the_card_says_what_the_other_connections_mean() -> None:
    assert beside("acct_1", True, []) == []
    (another,) = beside("acct_1", True, [OTHER])
    assert "another account than Northwind" in another
    (unknown,) = beside(None, True, [OTHER])
    assert "count twice" in unknown
    (live,) = beside("acct_1", True, [replace(OTHER, livemode=False)])
    assert "figures are those of live mode" in live
    (test,) = beside("acct_1", False, [OTHER])
    assert "shown apart" in test
