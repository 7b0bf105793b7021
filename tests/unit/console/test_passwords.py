"""Passwords."""

import pytest

from services.console.errors import Refused
from services.console.passwords import check_password_strength, hash_password, password_matches


def test_only_the_password_itself_matches_its_hash() -> None:
    stored = hash_password("correct horse battery")
    assert password_matches(stored, "correct horse battery")
    assert not password_matches(stored, "correct horse batterz")
    assert "correct" not in stored
    assert stored.startswith("$argon2id$")


def test_nobody_signs_in_without_a_stored_hash() -> None:
    assert not password_matches(None, "nobody has this password")
    assert not password_matches("not a hash", "anything")


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "ada@example.com"])
def test_a_weak_password_is_refused_with_a_remedy(password: str) -> None:
    with pytest.raises(Refused) as refused:
        check_password_strength(password, "Ada@example.com")
    assert refused.value.remedy
