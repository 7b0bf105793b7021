"""What analysts ask, and the SQL that answers it: `questions.sql` taken apart."""

from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("questions.sql")
_MARK = "-- question: "


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and a statement that answers it where `analytics` is the search path."""

    text: str
    sql: str


def questions() -> list[Question]:
    """All of them, in the order of the page."""
    _, *parts = _FILE.read_text().split(_MARK)
    asked = (part.partition("\n") for part in parts)
    return [Question(text.strip(), sql.strip().removesuffix(";")) for text, _, sql in asked]
