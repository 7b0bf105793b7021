"""Days of a company, stepped: renewals fail, emails go out at their days, money comes back, nobody is mailed twice.

All services as processes on a real Kafka and PostgreSQL, armed, with a mail sink; the verifier (`tests/verifier`)
shares no code with them. Ten days; 120 at leisure (`DROPFIX_VERIFY`).
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.left import Looker
from cli.services import all_services
from cli.stepping import SteppingClock
from runtime.kafka import Broker
from tests.fixtures.stacks import wait_for
from tests.fixtures.system import EMAIL, ZONE, RunningDropFix, SimulatedStripe, Time
from tests.verifier import dunning
from tests.verifier.dunning import Company, Post
from tests.verifier.log import Entry

DAYS = int(os.environ.get("DROPFIX_DAYS", "120" if os.environ.get("DROPFIX_VERIFY") else "10"))
CUSTOMERS = 200
FOUNDED = datetime(2026, 3, 16, 9, tzinfo=UTC)
SEEN_WITHIN = timedelta(hours=13)
"""Time steps by the hour, and so do polls: what takes thirteen of them to be seen takes so long."""
LATE = timedelta(hours=1)
FAST = 1e9


@dataclass
class Lived:
    """A company that lived for some days before an armed DropFix, and how long that took."""

    dropfix: RunningDropFix
    stripe: SimulatedStripe
    since: datetime
    now: datetime
    allowed: frozenset[str]
    seconds: float

    @property
    def post(self) -> Post:
        return Post.of(self.dropfix.addresses["kafka"], self.dropfix.root / "mail", owner=EMAIL)

    @property
    def company(self) -> Company:
        return Company.asked(self.stripe, since=self.since, seen=self.now - SEEN_WITHIN, now=self.now)


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[Lived]:
    """The company after its days; every fourth customer's address is not on the allow-list."""
    moment = Time(tmp_path / "clock.json")
    moment.set(FOUNDED)
    with SimulatedStripe.running(tmp_path, time=moment, customers=CUSTOMERS) as stripe:
        environment = {"STRIPE_API_BASE": stripe.address, "DROPFIX_CLOCK": str(moment.path)}
        dropfix = RunningDropFix.begin(tmp_path / "data", "run", environment=environment)
        try:
            dropfix.wait_started().set_up()
            allowed = _allowed(stripe)
            dropfix.arm(*allowed)
            dropfix.connect(stripe.keys["full"])
            wait_for("the account was read", lambda: dropfix.rows("SELECT synced FROM poller.connections") == [(True,)])
            _spoil_renewals(stripe)
            took = _live(dropfix, moment, FOUNDED + timedelta(days=DAYS))
            yield Lived(dropfix, stripe, FOUNDED, FOUNDED + timedelta(days=DAYS), allowed, took)
        finally:
            dropfix.stop()


def _allowed(stripe: SimulatedStripe) -> frozenset[str]:
    emails = sorted({one["email"].lower() for one in stripe.everything("customers") if one["email"]})
    return frozenset(email for place, email in enumerate(emails) if place % 4)


def _spoil_renewals(stripe: SimulatedStripe) -> None:
    """Of who renews in the next two days every second one fails, some of them for good: so each step comes in time."""
    draw, soon = random.Random(1), (FOUNDED + timedelta(days=2)).timestamp()
    for subscription in stripe.everything("subscriptions", status="active"):
        renews = subscription["items"]["data"][0]["current_period_end"] < soon
        if renews and subscription["collection_method"] == "charge_automatically" and draw.random() < 0.5:
            reason = draw.choice(["insufficient_funds", "expired_card", "authentication_required", "lost_card"])
            stripe.tries(do="fail_next", customer=subscription["customer"], reason=reason, times=draw.choice([1, 3, 9]))


def _live(dropfix: RunningDropFix, moment: Time, until: datetime) -> float:
    """Step to an instant; the seconds that took."""
    broker = Broker(dropfix.addresses["kafka"])
    report = dropfix.report
    assert report is not None
    page = report.process("dunning").health_url
    began = time.monotonic()
    with closing(Looker(dropfix.database, broker, all_services(), mail_page=page)) as looker:
        SteppingClock(moment.path, looker, speed=FAST).run_until(until)
    return time.monotonic() - began


@pytest.mark.timeout(3000)
def test_emails_go_at_their_days_and_end_with_the_debt(
    lived: Lived, record_property: Callable[[str, object], None]
) -> None:
    post, company = lived.post, lived.company
    rows = lived.dropfix.rows("SELECT episode_id, state, invoices FROM analytics.dunning_episodes")
    record_property("table", _summary(lived, post, rows))
    found = [
        *dunning.beyond_the_list(post, lived.allowed),
        *dunning.unlike_the_company(rows, company),
        *_complaints(post, company),
    ]
    assert not found, "\n".join(found)
    assert _never_happened(post) == []
    assert _unnoticed(post, company) == []


def _complaints(post: Post, company: Company) -> Iterator[str]:
    yield from dunning.unlike_the_sink(post)
    yield from dunning.sent_twice(post)
    yield from dunning.mailed_after_paying(post, company)
    yield from dunning.wrong_days(post, company, workspace_zone=ZONE, late=LATE)
    yield from dunning.untold_failures(post, company)


def _never_happened(post: Post) -> list[str]:
    """What never happened, so that nothing was tested by it."""
    happened = {event["kind"] for told in post.episodes().values() for event in told.events}
    happened |= {f"step {step}" for told in post.episodes().values() for step in told.mailed()}
    wanted = {"proposed", "opened", "email_sent", "email_captured", "recovered", "exhausted", "closed"}
    return sorted((wanted | {"step 1", "step 2", "step 3"}) - happened)


def _unnoticed(post: Post, company: Company) -> list[str]:
    """Lies about the post and the company of which the verifier says nothing."""
    day = int(timedelta(days=1).total_seconds())
    later = {name: {**one, "first_failed_at": one["first_failed_at"] + day} for name, one in company.failures.items()}
    paid = {
        name: {**one, "resolved_at": one["first_failed_at"], "resolution": "paid"}
        for name, one in company.failures.items()
    }
    unsaid = [one for one in post.events if one.content["kind"] != "email_sent"]
    lies = {
        "arrived 2 times": (replace(post, mails=[*post.mails, post.mails[0]]), company),
        "is not in the sink": (replace(post, mails=post.mails[1:]), company),
        "was never said to be sent": (replace(post, events=unsaid), company),
        "ended 2 times": (replace(post, events=[*post.events, *map(_under_another_id, post.events)]), company),
        ", before 20": (post, replace(company, failures=later)),
        "was paid at": (post, replace(company, failures=paid)),
        "neither failed nor is overdue": (post, replace(company, failures={})),
    }
    return [lie for lie, told in lies.items() if not any(lie in said for said in _complaints(*told))]


def _under_another_id(entry: Entry) -> Entry:
    headers = tuple((name, b"another" + value if name == "ce_id" else value) for name, value in entry.headers)
    return replace(entry, headers=headers)


def _summary(lived: Lived, post: Post, rows: list[tuple[Any, ...]]) -> str:
    states = sorted({state for _, state, _ in rows})
    counted = ", ".join(f"{sum(row[1] == state for row in rows)} {state}" for state in states)
    return f"{DAYS} days in {lived.seconds:.0f} s; {len(post.mails)} mails; episodes: {counted}"
