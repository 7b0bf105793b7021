"""Which keys are accepted, and what is said of the others."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.stripe.keys import AcceptedKey, RefusedKey, assess_key, create_key_url

BODY = "51AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


@pytest.mark.parametrize(
    ("prefix", "kind", "livemode"),
    [
        ("rk_live_", "restricted", True),
        ("rk_test_", "restricted", False),
        ("sk_live_", "secret", True),
        ("sk_test_", "secret", False),
    ],
)
def test_restricted_and_secret_keys_are_accepted(prefix: str, kind: str, livemode: bool) -> None:
    verdict = assess_key(prefix + BODY)
    assert not isinstance(verdict, RefusedKey)
    key, accepted = verdict
    assert key == prefix + BODY
    assert (accepted.kind, accepted.livemode) == (kind, livemode)
    assert (accepted.warning is not None) == (kind == "secret")


COPIED = [" {} ", "\n{}\n", "\t{}", "{}\r\n", '"{}"', "'{}' ", "“{}”", "`{}`"]
UNSEEN = ["{}\u200b", "\ufeff{}", "\u200e{}\u00a0"]
NAMED = ["STRIPE_KEY={}", "export STRIPE_KEY = '{}'", "Bearer {}", "Authorization: Bearer {}", '"stripe_key: {}"']


@pytest.mark.parametrize("around", [*COPIED, *UNSEEN, *NAMED])
def test_what_was_copied_around_a_key_is_trimmed(around: str) -> None:
    verdict = assess_key(around.format("rk_test_" + BODY))
    assert not isinstance(verdict, RefusedKey)
    assert verdict[0] == "rk_test_" + BODY


def test_what_nobody_sees_inside_of_a_key_is_taken_out() -> None:
    verdict = assess_key(f"rk_live_{BODY[:20]}\r\n{BODY[20:30]}\u00ad{BODY[30:]}")
    assert not isinstance(verdict, RefusedKey)
    assert verdict[0] == "rk_live_" + BODY


@pytest.mark.parametrize("length", [1, 24, 99, 250, 600])
def test_no_length_of_a_key_is_refused(length: int) -> None:
    assert not isinstance(assess_key("rk_live_" + "a" * length), RefusedKey)


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        ("", "no_key"),
        ("   ", "no_key"),
        ("pk_live_" + BODY, "publishable_key"),
        ("pk_test_" + BODY, "publishable_key"),
        ("whsec_" + BODY, "webhook_secret"),
        ("sk_org_live_" + BODY, "organization_key"),
        ("rkcs_test_" + BODY, "sandbox_claim_key"),
        ("acct_1Pgc6tB7WZ01zgkW", "account_id"),
        ("rk_live_…4f2a", "masked_key"),
        ("rk_live_****4f2a", "masked_key"),
        ("sk_test_...4f2a", "masked_key"),
        ("rk_live_", "incomplete_key"),
        ("rk_" + BODY, "incomplete_key"),
        ("rk_live_abc def", "incomplete_key"),
        ("rk_live_" + "a" * 5000, "incomplete_key"),
        ("\u200bpk_live_" + BODY, "publishable_key"),
        ("STRIPE_KEY=", "no_key"),
        ("hello", "not_a_key"),
        ("RK_LIVE_" + BODY, "not_a_key"),
        ("https://dashboard.stripe.com/apikeys", "not_a_key"),
    ],
)
def test_every_other_key_is_refused_by_its_kind(pasted: str, code: str) -> None:
    verdict = assess_key(pasted)
    assert isinstance(verdict, RefusedKey)
    assert verdict.code == code
    assert verdict.reason
    assert verdict.remedy


@given(st.text(max_size=80), st.sampled_from(["rk_live_", "sk_test_", "pk_live_", "whsec_", "sk_org_", ""]))
def test_a_verdict_shows_at_most_the_last_four_characters(rest: str, prefix: str) -> None:
    pasted = prefix + rest
    verdict = assess_key(pasted)
    shown: RefusedKey | AcceptedKey = verdict if isinstance(verdict, RefusedKey) else verdict[1]
    secret = pasted.strip().removeprefix(prefix)
    for start in range(len(secret) - 5):
        piece = secret[start : start + 6]
        if piece.strip() and piece not in _WORDS:
            assert piece not in repr(shown)


def test_the_page_for_a_new_key_has_its_name_and_permissions_filled_in() -> None:
    page = urlsplit(create_key_url(test=False))
    assert (page.scheme, page.netloc, page.path) == ("https", "dashboard.stripe.com", "/apikeys/create")
    asked = parse_qs(page.query)
    assert asked.pop("name") == ["DropFix"]
    reads = ["customer", "subscription", "invoice", "charge", "payment_intent"]
    assert asked == {f"permissions[{at}]": [f"rak_{read}_read"] for at, read in enumerate(reads)}
    assert "rak_dispute_read" in create_key_url(test=False, disputes=True)
    assert "/test/apikeys/create" in create_key_url(test=True)


_WORDS = "".join(repr(assess_key(p)) for p in ("", "x", "pk_", "whsec_", "sk_org_", "rkcs_", "acct_", "rk_…", "rk_"))


def test_a_short_key_shows_nothing_of_itself() -> None:
    verdict = assess_key("rk_test_abcdef")
    assert not isinstance(verdict, RefusedKey)
    assert verdict[1].hint == "rk_test_…"
