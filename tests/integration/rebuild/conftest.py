"""A service as a process on the real servers, an account that lives, and the commands that rebuild."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.commands import dlq
from cli.services import service_named
from pipeline.rebuild.plan import Plan
from pipeline.rebuild.shadow import Rebuild
from runtime.kafka import Broker
from schemas.catalogue import CHURN_SIGNAL, IDENTITY_MATCH, MRR_MOVEMENT
from simulator.company.life import Growth
from simulator.founding import Company, found
from tests.accounts import Observer
from tests.integration.consumers import Consumer

FOUNDED = 1_790_000_000
DAY = 86_400
NOW = datetime.fromtimestamp(FOUNDED + 60 * DAY, UTC)


@dataclass
class Account:
    """An account and who watches it."""

    company: Company
    observer: Observer

    def pass_time(self, days: float) -> None:
        self.company.world.advance(self.company.world.now + int(days * DAY))


@pytest.fixture
def account() -> Account:
    company = found(seed=9, now=FOUNDED, growth=Growth(customers=120))
    return Account(company, Observer(company))


@dataclass
class Rebuilt:
    """A running service and the rebuild of it."""

    consumer: Consumer
    plan: Plan

    @property
    def rebuild(self) -> Rebuild:
        broker = Broker(self.consumer.kafka, prefix=self.consumer.prefix)
        return Rebuild(self.plan, self.consumer.database, broker, lambda: NOW)

    @property
    def environment(self) -> dict[str, str]:
        """What a command is told of these servers."""
        return {
            "DATABASE_URL": self.consumer.database,
            "KAFKA_BOOTSTRAP_SERVERS": self.consumer.kafka,
            "DROPFIX_TOPIC_PREFIX": self.consumer.prefix,
            "DROPFIX_CLOCK": str(self.consumer.folder / "clock.json"),
            "NO_COLOR": "1",
        }

    def dropfix(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command as a person runs it."""
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **self.environment}
        )

    def dlq(self, *arguments: str) -> Result:
        """A command about dead letters, in this process."""
        return CliRunner().invoke(dlq.app, arguments, env=self.environment)


@pytest.fixture
def make_service(
    kafka_bootstrap: str, topic_prefix: str, database_url: str, tmp_path: Path
) -> Iterator[Callable[[str], Rebuilt]]:
    """Prepares topics and tables of the service of a name, which does not run yet; ended afterwards."""
    consumers = []

    def make(name: str) -> Rebuilt:
        plan = service_named(name).rebuild()
        assert plan is not None
        places = (kafka_bootstrap, topic_prefix, database_url, tmp_path)
        consumer = Consumer(
            plan.schema, plan.processor().inputs, *places, outputs=(CHURN_SIGNAL, MRR_MOVEMENT, IDENTITY_MATCH)
        )
        consumers.append(consumer)
        consumer.prepare(now=NOW)
        return Rebuilt(consumer, plan)

    yield make
    for consumer in consumers:
        consumer.close()


@pytest.fixture
def run_service(make_service: Callable[[str], Rebuilt]) -> Callable[[str], Rebuilt]:
    """Starts the service of a name; ended afterwards."""

    def run(name: str) -> Rebuilt:
        service = make_service(name)
        service.consumer.start()
        return service

    return run
