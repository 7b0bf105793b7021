"""A small company behind HTTP, served by another thread of this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from simulator.api.limits import Rates
from simulator.app import ServerSettings, Simulator, simulate
from simulator.company.life import Growth
from simulator.founding import found
from simulator.server import running

NOW = 1_795_500_000


@dataclass
class Account:
    """What a test asks: `get` answers the JSON of a 200, `refusal` the status and error of anything else."""

    simulator: Simulator
    http: httpx.Client

    def ask(self, path: str, *, key: str = "disputes", version: str | None = None, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.simulator.keys.named(key).secret}"}
        if version is not None:
            headers["Stripe-Version"] = version
        return self.http.get(f"/v1/{path}", params=query, headers=headers)

    def get(self, path: str, *, key: str = "disputes", version: str | None = None, **query: Any) -> Any:
        answer = self.ask(path, key=key, version=version, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, path: str, *, key: str = "disputes", version: str | None = None, **query: Any) -> tuple[int, Any]:
        answer = self.ask(path, key=key, version=version, **query)
        return answer.status_code, answer.json()["error"]

    def every(self, path: str, *, limit: int = 100, **query: Any) -> list[Any]:
        """All objects of a list, page by page."""
        rows: list[Any] = []
        more = True
        while more:
            after = {"starting_after": rows[-1]["id"]} if rows else {}
            page = self.get(path, limit=limit, **query, **after)
            rows += page["data"]
            more = page["has_more"]
        return rows


@contextmanager
def opened(**settings: Any) -> Iterator[Account]:
    company = found(seed=11, now=NOW, growth=Growth(customers=300, days=150))
    simulator = simulate(company, settings=ServerSettings(rates=Rates(enforced=False), **settings))
    with running(simulator) as address, httpx.Client(base_url=address.removesuffix(simulator.settings.prefix)) as http:
        yield Account(simulator, http)


@pytest.fixture(scope="package")
def account() -> Iterator[Account]:
    """Shared by tests that only read."""
    with opened() as found_account:
        yield found_account


@pytest.fixture
def fresh() -> Iterator[Callable[..., Account]]:
    """An account of one's own, to move its clock or break it."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(opened(**settings))
