"""One deployment for all tests here: they find it running, and leave it so."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.deployment import SERVICES, SIMULATOR, Deployment

REQUIRED = "DROPFIX_TEST_ENGINE"
"""`required`: a run without an engine fails in place of skipping."""


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with compose; without one the tests are skipped, and say so."""
    missing = _what_is_missing()
    if missing and os.environ.get(REQUIRED) == "required":
        pytest.fail(f"{missing}, and {REQUIRED} says that it has to")
    if missing:
        pytest.skip(f"{missing}: images and compose are NOT tested here")


def _what_is_missing() -> str | None:
    if shutil.which("docker") is None:
        return "Docker is not installed"
    for command, missing in (("info", "no Docker engine answers"), ("compose version", "docker compose is missing")):
        asked = subprocess.run(["docker", *command.split()], capture_output=True, check=False, timeout=60)
        if asked.returncode != 0:
            return missing
    return None


@pytest.fixture(scope="session")
def deployment(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Built, up, connected to its simulated account, every number there, a mail in the sink."""
    with Deployment.of_a_clone(tmp_path_factory.mktemp("compose")) as started:
        started.make("up")
        made = started.tell("/api/setup", {"workspace": "Northwind Analytics", "email": "founder@northwind.example"})
        started.write_key = made["write_key"]
        checked = started.dropfix("demo", "--check", "--stripe", SIMULATOR)
        assert checked.code == 0, checked.output + checked.errors
        started.send_a_mail()
        yield started


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service."""
    return str(request.param)
