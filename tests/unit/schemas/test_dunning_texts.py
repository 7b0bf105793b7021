"""The words of emails: what may be written, and how what may not is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.errors import InvalidDecision
from schemas.events.decisions import check_decision
from schemas.events.dunning_texts import PLACEHOLDERS, USUAL_TEXTS, EmailText

TEXT = {"subject": "Hello", "body": "Please pay.", "button": "Pay"}


@pytest.mark.parametrize(
    ("field", "written", "said"),
    [
        ("body", "Pay {amount}", "{amount} stands for nothing here; there are {company}, {total}"),
        ("body", "Pay {{ total }}", "stands for nothing|a brace is for"),
        ("body", "Pay {total", "a brace is for a placeholder alone"),
        ("body", "Pay total}", "a brace is for a placeholder alone"),
        ("subject", "Tried again on {next_attempt}", "stands for nothing here; there are {company}, {total}, {what}"),
        ("button", "{consequence}", "stands for nothing here"),
        ("subject", "Hello\r\nBcc: everybody@example.com", "it is one line"),
        ("subject", "", "at least 1 character"),
        ("body", "x" * 5001, "at most 5000"),
    ],
)
def test_what_cannot_be_put_into_words_is_refused_with_what_can(field: str, written: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        EmailText.model_validate({**TEXT, field: written})


def test_every_placeholder_may_stand_in_a_paragraph() -> None:
    body = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    words = {name: name.upper() for name in PLACEHOLDERS}
    assert EmailText.model_validate({**TEXT, "body": body}).written(words).paragraphs == (
        " ".join(words[name] for name in PLACEHOLDERS),
    )


def test_paragraphs_have_an_empty_line_between_them_and_no_line_breaks() -> None:
    found = EmailText.model_validate({**TEXT, "body": "\r\nOne\r\ntwo.\r\n \r\n\r\nThree. \n"})
    assert list(found.paragraphs()) == ["One two.", "Three."]


def test_the_usual_words_are_what_a_company_could_have_written() -> None:
    for (variant, tone), text in USUAL_TEXTS.items():
        detail: dict[str, Any] = {"variant": variant, "tone": tone, "text": text.model_dump()}
        assert check_decision("dunning.text", detail, connection_id=None) == detail


def test_a_word_too_many_is_refused() -> None:
    with pytest.raises(InvalidDecision, match="text"):
        check_decision(
            "dunning.text", {"variant": "retry", "tone": "first", "text": TEXT | {"html": "<b>"}}, connection_id=None
        )
