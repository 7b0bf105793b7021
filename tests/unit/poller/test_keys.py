"""Which keys may be used, as far as their text tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.poller.keys import KeyKind, kind_of_key, why_refused


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("rk_live_51abc", KeyKind(restricted=True, livemode=True)),
        ("rk_test_51abc", KeyKind(restricted=True, livemode=False)),
        ("sk_live_51abc", KeyKind(restricted=False, livemode=True)),
        ("sk_test_51abc", KeyKind(restricted=False, livemode=False)),
        ("rkcs_test_51abc", KeyKind(restricted=True, livemode=False)),
    ],
)
def test_restricted_and_secret_keys_are_used(key: str, kind: KeyKind) -> None:
    assert kind_of_key(key) == kind


@given(st.text(alphabet="abcXYZ019_", min_size=1, max_size=300))
def test_the_length_of_a_key_is_never_checked(rest: str) -> None:
    assert kind_of_key(f"rk_live_{rest}") is not None


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("pk_live_51abc", "publishable"),
        ("whsec_abc", "webhook"),
        ("sk_org_live_abc", "organization"),
        ("hello", "not a Stripe key"),
        ("", "not a Stripe key"),
        ("rk_live_abc def", "not a Stripe key"),
    ],
)
def test_every_other_key_is_refused_with_its_reason_and_without_the_key(key: str, says: str) -> None:
    assert kind_of_key(key) is None
    assert says in why_refused(key)
    assert not key or key not in why_refused(key)
