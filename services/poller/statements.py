"""The SQL of the poller, by name: each statement stands in a file of `sql/` under a line `-- name: …`."""

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"
_MARK = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def _all() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(_FOLDER.glob("*.sql")):
        parts = _MARK.split(file.read_text())
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"{file.name}: a second statement is named {name}")
            found[name] = text.strip()
    return found


def statement(name: str) -> str:
    """The statement of that name; raises KeyError where there is none."""
    return _all()[name]
