"""An object that Stripe does not know any more is asked for once, not for ever."""

from datetime import UTC, datetime
from pathlib import Path

from bench.polled import PolledAccount, polled_account
from simulator.api.limits import Rates
from simulator.app import ServerSettings, simulate
from simulator.clock import ManualClock
from simulator.company.life import Growth
from simulator.founding import found

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


def test_an_object_that_is_gone_is_read_alone_once_and_again_when_a_list_shows_it(
    database_url: str, tmp_path: Path
) -> None:
    company = found(seed=3, now=NOON, growth=Growth(customers=20, days=60))
    simulator = simulate(company, clock=ManualClock(NOON), settings=ServerSettings(rates=Rates(enforced=False)))
    with polled_account(simulator, admin_url=database_url, folder=tmp_path, keep=lambda _: None) as account:
        ((known,),) = account.rows("SELECT object_id FROM poller.objects WHERE kind = 'charge' LIMIT 1")
        account.rows(
            "INSERT INTO poller.objects SELECT (jsonb_populate_record(o, %s::jsonb)).* FROM poller.objects o"
            " WHERE object_id = %s",
            '{"object_id": "in_deletedDraft", "kind": "invoice", "status": "draft"}',
            known,
        )
        for _ in range(3):
            account.rows("UPDATE poller.objects SET due_at = %s WHERE object_id = 'in_deletedDraft'", account.now)
            poll(account)
        asked = account.rows(
            "SELECT status FROM poller.api_calls WHERE endpoint = '/v1/invoices/{id}' AND status = 404"
        )
        assert asked == [(404,)]

        account.rows("UPDATE poller.objects SET gone = true WHERE kind = 'subscription'")
        poll(account)
        assert account.rows("SELECT DISTINCT kind FROM poller.objects WHERE gone") == [("invoice",)]


def poll(account: PolledAccount) -> None:
    account.move_to(account.now + 300)
    account.poll()
