"""What each process of a stack is told, and what not."""

from pathlib import Path

import pytest

from cli.secrets import SecretFiles
from cli.services import all_services
from cli.specs import Surroundings, job_spec, service_spec, simulator_spec

ADMIN_URL = "postgresql://owner:ownersecret@db.example:5432/dropfix?sslmode=require"


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(
        bootstrap_servers="kafka.example:9092", admin_url=ADMIN_URL, secrets=SecretFiles(tmp_path), clock="real"
    )


def test_each_service_connects_as_its_own_role_with_a_password_from_a_file(surroundings: Surroundings) -> None:
    passwords = set()
    for service in all_services():
        environment = service_spec(service.name, surroundings, port=1).environment
        assert environment["DATABASE_URL"].startswith(f"postgresql://dropfix_{service.name}@db.example:5432/dropfix")
        assert environment["DATABASE_URL"].endswith("?sslmode=require")
        passwords.add(Path(environment["DATABASE_PASSWORD_FILE"]).read_text())
    assert len(passwords) == len(all_services())


def test_no_service_is_given_the_owners_password(surroundings: Surroundings) -> None:
    for service in all_services():
        environment = service_spec(service.name, surroundings, port=1).environment
        assert not any("ownersecret" in value for value in environment.values())
    assert job_spec("migrate", ("migrate",), surroundings).environment["DATABASE_URL"] == ADMIN_URL


def test_the_poller_alone_is_given_the_vaults_private_keys(surroundings: Surroundings) -> None:
    private = str(surroundings.secrets.vault_private_keys)
    given = {
        service.name
        for service in all_services()
        if private in service_spec(service.name, surroundings, port=1).environment.values()
    }
    assert given == {"poller"}


def test_settings_of_the_person_reach_the_services_and_secrets_of_others_do_not(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPFIX_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "ops")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not ours")
    monkeypatch.setenv("DROPFIX_OPERATOR_TOKEN_FILE", "/not/the/pollers")
    environment = service_spec("poller", surroundings, port=1).environment
    assert environment["DROPFIX_LOG_LEVEL"] == "DEBUG"
    assert environment["KAFKA_SASL_USERNAME"] == "ops"
    assert environment.keys().isdisjoint({"AWS_SECRET_ACCESS_KEY", "DROPFIX_OPERATOR_TOKEN_FILE"})


def test_the_simulator_knows_nothing_of_the_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    spec = simulator_spec(tmp_path / "clock.json", port=1, options=("--seed", "7"))
    assert not any(name.startswith(("KAFKA_", "DATABASE_", "DROPFIX_")) for name in spec.environment)
    assert spec.argv[-2:] == ("--seed", "7")
