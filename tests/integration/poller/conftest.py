"""A poller on the real Kafka and PostgreSQL, and an account for it to read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.poller.running import Account, RunningPoller, account


@pytest.fixture
def stripe_account() -> Iterator[Account]:
    """A small company: 60 customers, two months old."""
    yield from account()


@pytest.fixture
def stopped_poller(
    stripe_account: Account, database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> Iterator[RunningPoller]:
    """A poller with tables and topics of its own, ready to be started."""
    poller = RunningPoller.prepare(
        admin_url=database_url,
        kafka_bootstrap=kafka_bootstrap,
        prefix=topic_prefix,
        base=stripe_account.address,
        folder=tmp_path,
    )
    yield poller
    for process in poller.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def poller(stopped_poller: RunningPoller) -> RunningPoller:
    """A poller of its own that runs."""
    stopped_poller.start()
    return stopped_poller
