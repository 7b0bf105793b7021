"""DropFix on servers that others run: `dropfix run` with nothing but settings between a laptop and a cluster."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.services import all_services
from deploy.embedded.places import write_whole
from runtime.migrations import OPERATOR
from tests.fixtures.servers import ROLE_PASSWORD
from tests.fixtures.system import RunningDropFix, SimulatedStripe, Time

CUSTOMERS = 150
FOUNDED = datetime(2026, 3, 16, 9, tzinfo=UTC)


@pytest.fixture
def prefixed_stripe(tmp_path: Path) -> Iterator[SimulatedStripe]:
    """A small company's account, its API below a path, its time standing."""
    moment = Time(tmp_path / "clock.json")
    moment.set(FOUNDED)
    options = ("--prefix", "/behind/a/proxy", "--search-lag", "0")
    with SimulatedStripe.running(tmp_path, time=moment, customers=CUSTOMERS, options=options) as simulated:
        yield simulated


@pytest.fixture
def on_given_servers(
    prefixed_stripe: SimulatedStripe, kafka_bootstrap: str, database_url: str, topic_prefix: str, tmp_path: Path
) -> Iterator[RunningDropFix]:
    """`dropfix run` on the Kafka and the PostgreSQL that the environment names; nobody is in it yet."""
    data = tmp_path / "data"
    give_passwords(data / "secrets")
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "DATABASE_URL": database_url,
        "DROPFIX_TOPIC_PREFIX": topic_prefix,
        "DROPFIX_CLOCK": str(tmp_path / "clock.json"),
        "STRIPE_API_BASE": prefixed_stripe.address,
    }
    running = RunningDropFix.begin(data, "run", environment=environment)
    running.given_database = database_url
    try:
        yield running.wait_started()
    finally:
        running.stop()


def give_passwords(folder: Path) -> None:
    """The roles are the server's, which other tests use too."""
    folder.mkdir(parents=True)
    for name in (OPERATOR, *(service.name for service in all_services())):
        write_whole(folder / f"password_{name}", ROLE_PASSWORD)
