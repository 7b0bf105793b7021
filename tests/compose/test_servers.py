"""The servers of the tests in containers."""

import os
from pathlib import Path

import pytest

from tests.fixtures.containers import left_by, what_is_missing
from tests.fixtures.servers import choose_servers, round_trip, shared_folder
from tests.fixtures.stacks import wait_for


@pytest.fixture
def keeper(engine: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the process that keeps the containers works; an engine that cannot have their images is not enough."""
    if missing := what_is_missing():
        pytest.skip(f"{missing}: servers in containers are NOT tested here")
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return shared_folder() / "containers" / "data"


@pytest.mark.parametrize("kind", [None, "containers"])
def test_servers_in_containers_are_real_and_are_gone_with_their_last_user(kind: str | None, keeper: Path) -> None:
    with choose_servers(kind) as chosen:
        images = {one.image.tags[0] for one in left_by(keeper)}
        assert images == {os.environ.get("KAFKA_IMAGE", "apache/kafka:4.3.1"), "postgres:17"}
        with choose_servers(kind) as shared:
            assert shared == chosen
        round_trip(chosen)
    wait_for("the containers are removed", lambda: left_by(keeper) == [], seconds=60)
