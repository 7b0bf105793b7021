"""Settings come from the environment and a file, and what is wrong is told all at once."""

from pathlib import Path
from typing import ClassVar

import pytest
from psycopg.conninfo import conninfo_to_dict

from runtime.errors import SettingsError
from runtime.kafka import Broker
from runtime.settings import ServiceSettings, load_settings


class PollerLike(ServiceSettings):
    service: ClassVar[str] = "poller"
    interval_seconds: int = 300


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "DROPFIX_SETTINGS_FILE", "DROPFIX_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_gives_plain_and_prefixed_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@db/x")
    monkeypatch.setenv("DROPFIX_TOPIC_PREFIX", "acme.")
    settings = load_settings(PollerLike)
    assert (settings.kafka_bootstrap_servers, settings.topic_prefix) == ("kafka:9092", "acme.")


def test_everything_that_is_wrong_is_told_at_once_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:hunter2@db/x")
    monkeypatch.setenv("DROPFIX_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("DROPFIX_INTERVAL_SECONDS", "often")
    with pytest.raises(SettingsError) as caught:
        load_settings(PollerLike)
    text = str(caught.value)
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "DROPFIX_LOG_LEVEL", "DROPFIX_INTERVAL_SECONDS"):
        assert f"  {name}: " in text
    assert "4 setting(s)" in text
    assert "hunter2" not in text


def test_a_file_gives_what_the_environment_does_not_and_its_services_table_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dropfix.toml"
    file.write_text(
        'kafka_bootstrap_servers = "file:9092"\ndatabase_url = "postgresql://db/x"\nlog_level = "ERROR"\n'
        "[poller]\ninterval_seconds = 60\n[mrr]\ninterval_seconds = 1\n"
    )
    monkeypatch.setenv("DROPFIX_SETTINGS_FILE", str(file))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "env:9092")
    settings = load_settings(PollerLike)
    assert settings.kafka_bootstrap_servers == "env:9092"
    assert settings.interval_seconds == 60
    assert settings.log_level == "ERROR"


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), ("a = = 1", "is not TOML")])
def test_a_file_that_cannot_be_used_is_named(
    content: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dropfix.toml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("DROPFIX_SETTINGS_FILE", str(file))
    with pytest.raises(SettingsError, match=f"dropfix.toml.*{says}"):
        load_settings(PollerLike)


def test_a_cluster_with_authentication_needs_nothing_but_settings() -> None:
    settings = load_settings(
        PollerLike,
        kafka_bootstrap_servers="a:1,b:2",
        database_url="postgresql://db/x",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="dropfix",
        kafka_sasl_password="hunter2",
    )
    options = Broker.of(settings).client_options("me")
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["sasl_plain_password"] == "hunter2"
    assert options["security_protocol"] == "SASL_SSL"
    assert "hunter2" not in repr(settings)


def test_a_password_in_a_file_completes_the_address_and_is_never_printed(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2 with 'quotes'\n")
    settings = load_settings(
        PollerLike,
        kafka_bootstrap_servers="kafka:9092",
        database_url="postgresql://dropfix_poller@db/x",
        database_password_file=file,
    )
    assert conninfo_to_dict(settings.database_url.get_secret_value()) == {
        "user": "dropfix_poller",
        "password": "hunter2 with 'quotes'",
        "host": "db",
        "dbname": "x",
    }
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), ("\n", "is empty")])
def test_a_password_file_that_gives_none_is_named(content: str | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=f"DATABASE_PASSWORD_FILE.*{says}"):
        load_settings(
            PollerLike,
            kafka_bootstrap_servers="kafka:9092",
            database_url="postgresql://db/x",
            database_password_file=file,
        )
