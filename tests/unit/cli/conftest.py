"""The command line without the settings and the stacks of whoever runs the tests."""

import os
from pathlib import Path

import pytest

from tests.unit.cli.commands import CommandLine


@pytest.fixture
def dropfix(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> CommandLine:
    """The entry point; default data folders are empty ones of this test."""
    for name in list(os.environ):
        if name.startswith(("DROPFIX_", "KAFKA_", "DATABASE_", "STRIPE_", "SMTP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return CommandLine(monkeypatch, capsys)
