"""Ids look like Stripe's and lead back to what they name."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from simulator.ids import Ids, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)


@given(st.sampled_from(KINDS), st.integers(0, 1 << 46), st.integers(0, 1 << 30))
def test_an_id_leads_back_to_its_number(kind: Kind, number: int, seed: int) -> None:
    ids = Ids(seed)
    assert ids.decode(kind, ids.encode(kind, number)) == number or kind == "coupon"


@given(st.sampled_from(KINDS), st.text(max_size=40))
def test_any_text_is_an_id_or_is_not_and_never_an_error(kind: Kind, text: str) -> None:
    found = Ids(1).decode(kind, text)
    assert found is None or found >= 0


def test_ids_have_the_form_of_stripes() -> None:
    ids = Ids(5)
    tail = ids.account.removeprefix("acct_1")[5:]
    assert (len(ids.encode("customer", 9)), ids.encode("customer", 9)[:4]) == (18, "cus_")
    invoice = ids.encode("invoice", 9)
    assert (len(invoice), invoice[:4], tail in invoice) == (27, "in_1", True)
    assert ids.encode("payment_intent", 9).startswith("pi_3")


def test_an_id_of_another_account_or_kind_names_nothing() -> None:
    assert Ids(1).decode("invoice", Ids(2).encode("invoice", 9)) is None
    assert Ids(1).decode("invoice", Ids(1).encode("subscription", 9)) is None
