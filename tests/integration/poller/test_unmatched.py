"""A charge of an invoice that no list has shown yet leads to it in the same poll, whatever became of it meanwhile."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.polled import Logged, PolledAccount, polled_account
from services.poller.steady import plan
from simulator.api.acts import Acts
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
NO_INVOICES = plan.SLOT_CYCLE.index("F")
OPEN_INVOICES = plan.SLOT_CYCLE.index("C")


@dataclass
class Living:
    """An account of four calls a poll, what was published of it, and who can be told to do something."""

    account: PolledAccount
    log: list[Logged]
    acts: Acts

    def buy_a_seat(self, how: str) -> str:
        """Somebody buys a seat, which is billed at once, and pays as told; gives the invoice."""
        company = self.account.simulator.company
        sold = [company.world.subscriptions[at] for at in range(len(company.world.subscriptions))]
        runs = next(each for each in sold if each.status == "active" and each.items[0].quantity)
        wanted = {"do": how, "subscription": company.ids.encode("subscription", runs.number)}
        invoice: str = self.acts.perform(wanted)["invoice"]
        return invoice

    def poll(self, tick: int = NO_INVOICES) -> None:
        """A poll, by default one of which no list shows young invoices or open ones."""
        self.account.rows("UPDATE poller.connections SET tick = %s", tick)
        self.account.move_to(self.account.now + 300)
        self.account.poll()

    def status(self, invoice: str) -> str | None:
        """The invoice's status in the log."""
        states = [json.loads(each.value)["status"] for each in self.log if f"#{invoice}@" in each.key]
        return states[-1] if states else None


@pytest.fixture
def living(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    monkeypatch.setattr(plan, "PAGE", 5)
    for user in ("session", "first_sync.sync"):
        monkeypatch.setattr(f"services.poller.{user}.allowed_reads", lambda transactions: 2_000_000)
    company = found(seed=3, now=NOON, growth=Growth(customers=20, days=60))
    settings = ServerSettings(rates=Rates(enforced=False))
    simulator = simulate(company, clock=ManualClock(NOON), settings=settings)
    log: list[Logged] = []
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=log.append) as account:
        living = Living(account, log, Acts(company))
        living.poll()
        yield living


def test_one_that_is_open(living: Living) -> None:
    invoice = living.buy_a_seat("fail_now")
    living.poll()
    assert living.status(invoice) == "open"


def test_one_that_another_card_paid_a_moment_later(living: Living) -> None:
    invoice = living.buy_a_seat("fail_now")
    living.acts.perform({"do": "pay", "invoice": invoice})
    living.poll()
    assert living.status(invoice) == "paid"


@pytest.mark.parametrize(
    ("how", "status"), [("void", "void"), ("give_up", "uncollectible"), ("pay_out_of_band", "paid")]
)
def test_one_that_was_closed_a_moment_later(living: Living, how: str, status: str) -> None:
    invoice = living.buy_a_seat("fail_now")
    living.acts.perform({"do": how, "invoice": invoice})
    living.poll()
    assert living.status(invoice) == status


def test_one_whose_bank_debit_is_pending_is_seen_with_the_open_ones(living: Living) -> None:
    invoice = living.buy_a_seat("debit")
    living.poll()
    assert any(json.loads(each.value)["status"] == "pending" for each in living.log if each.kind == "charge")
    living.poll(OPEN_INVOICES)
    assert living.status(invoice) == "open"
