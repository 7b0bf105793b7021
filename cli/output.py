"""What commands print: results on standard output, progress and errors on standard error."""

import json
import sys
from typing import Any

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def step(text: str) -> None:
    """One line of progress."""
    progress.print(f"[dim]·[/] {text}")


def done(text: str) -> None:
    """Something was reached."""
    progress.print(f"[green]✓[/] {text}")


def suggest(text: str) -> None:
    """What to do next."""
    progress.print(f"[dim]→[/] {text}")
