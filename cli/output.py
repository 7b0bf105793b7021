"""What commands print: results on standard output, progress and errors on standard error.

Whoever reads the results may have seen enough before their end (`| head`): that is no error.
"""

import json
import os
import sys
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape


class _Output(Console):
    def on_broken_pipe(self) -> NoReturn:
        _end()


out = _Output(highlight=False, soft_wrap=True)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    try:
        sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _end()


def _end() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in its buffer has somewhere to go
    raise SystemExit(0)


def step(text: str) -> None:
    """One line of progress."""
    progress.print(f"[dim]·[/] {escape(text)}")


def done(text: str) -> None:
    """Something was reached."""
    progress.print(f"[green]✓[/] {escape(text)}")


def suggest(text: str) -> None:
    """What to do next."""
    progress.print(f"[dim]→[/] {escape(text)}")
