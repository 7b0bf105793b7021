"""The console's SQL: files of named statements, each after a line `-- name: what_it_does`."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def statements(file: str) -> Mapping[str, LiteralString]:
    """The statements of `file.sql` by name. They are part of the program: nothing is ever pasted into them."""
    text = (files(__package__) / f"{file}.sql").read_text()
    _, *parts = _NAME.split(text)
    return {name: cast(LiteralString, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
