"""Settings of dunning: the mail server, and its password apart."""

from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.settings import load_settings
from services.dunning.settings import DunningSettings


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://dropfix_dunning@postgres/dropfix")
    monkeypatch.setenv("SMTP_URL", "smtp+starttls://mailer@smtp.example.com")


@pytest.fixture
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for the password, named in the settings and not there yet."""
    monkeypatch.setenv("SMTP_PASSWORD_FILE", str(tmp_path / "smtp_password"))
    return tmp_path / "smtp_password"


def test_the_password_of_the_mail_server_comes_from_its_file(password_file: Path) -> None:
    password_file.write_text("s3cret:@/\n")
    server = load_settings(DunningSettings).mail_server
    assert server is not None
    assert (server.user, server.password, server.host) == ("mailer", "s3cret:@/", "smtp.example.com")


def test_an_empty_file_is_no_password(password_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password_file.touch()
    with pytest.raises(SettingsError, match="needs both a user and a password"):
        load_settings(DunningSettings)
    monkeypatch.setenv("SMTP_URL", "smtp://mail:1025")
    server = load_settings(DunningSettings).mail_server
    assert server is not None
    assert (server.user, server.password) == (None, None)


def test_a_file_that_is_not_there_is_named(password_file: Path) -> None:
    with pytest.raises(SettingsError, match=f"SMTP_PASSWORD_FILE names {password_file}, which cannot be read"):
        load_settings(DunningSettings)
