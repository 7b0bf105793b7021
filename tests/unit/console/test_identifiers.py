"""Ids and tokens."""

from datetime import UTC, datetime, timedelta

from services.console.identifiers import digest, form_token, mint_id, mint_token, same

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_ids_grow_with_time_and_never_repeat() -> None:
    ids = [mint_id("con", NOON + timedelta(milliseconds=step)) for step in range(100)]
    assert ids == sorted(ids)
    assert len({mint_id("con", NOON) for _ in range(100)}) == 100
    assert all(each.startswith("con_") and len(each) == 30 for each in ids)


def test_a_digest_says_nothing_of_its_token() -> None:
    token = mint_token()
    assert token.encode() not in digest(token)
    assert digest(token) != digest(mint_token())


def test_a_form_token_belongs_to_one_cookie() -> None:
    assert same(form_token("one"), form_token("one"))
    assert not same(form_token("one"), form_token("other"))
