"""Which servers the tests take: those that are named, else containers, else the embedded stack.

Containers are tried beside images and compose, where there is a Docker engine: `tests/compose/test_servers.py`.
"""

import pytest

from tests.fixtures.servers import ServersMissing, TestServers, choose_servers, round_trip

pytestmark = pytest.mark.usefixtures("unnamed")


@pytest.fixture
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is named in the environment."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("kind", [None, "named"])
def test_servers_that_are_named_are_taken(
    kind: str | None, servers: TestServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers.kafka)
    monkeypatch.setenv("DATABASE_URL", servers.database)
    with choose_servers(kind) as chosen:
        assert chosen == servers
        round_trip(chosen)


def test_the_embedded_stack_is_taken_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    with choose_servers("embedded") as chosen:
        round_trip(chosen)


def test_without_a_docker_engine_the_embedded_stack_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with choose_servers() as chosen:
        round_trip(chosen)
    with pytest.raises(ServersMissing, match="no Docker engine answers"), choose_servers("containers"):
        pass


def test_servers_that_have_to_be_named_and_are_not_are_missed() -> None:
    with pytest.raises(ServersMissing, match="KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL"), choose_servers("named"):
        pass


def test_a_kind_of_servers_that_there_is_not_is_refused() -> None:
    with pytest.raises(ServersMissing, match="it may be named, containers, embedded"), choose_servers("podman"):
        pass
