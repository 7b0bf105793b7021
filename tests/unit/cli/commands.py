"""The command line in this process: what it prints and how it ends."""

import sys
from dataclasses import dataclass

import pytest

from cli import main as entry


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    errors: str


class CommandLine:
    """`dropfix`, as its entry point runs it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["dropfix", *arguments])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        printed = self._capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)
