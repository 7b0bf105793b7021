"""The emails: what the log says was sent, what the mail sink has, and what the company knows of its failed payments.

Days, hours and zones are stated once more here: no code of the services says when an email is due.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.verifier.log import Entry, read_topics

EVENTS, REFRESHED = "dunning.event.v1", "stripe.refresh_result.v1"
DAYS = (0, 3, 7)
WAIT = timedelta(hours=1)
HISTORY_DAYS = 400
"""Before anybody looked; longer than the company is old."""
GAP = timedelta(hours=24)
HOURS = (9, 17)
ZONES = {
    "US": "America/Chicago",
    "GB": "Europe/London",
    "CA": "America/Toronto",
    "DE": "Europe/Berlin",
    "FR": "Europe/Paris",
    "NL": "Europe/Amsterdam",
    "JP": "Asia/Tokyo",
    "KW": "Asia/Kuwait",
}
"""Where a customer of the simulated company is mailed, by its country."""


@dataclass(frozen=True)
class Taken:
    """A mail that the sink took."""

    message_id: str
    recipient: str
    taken_at: datetime
    """By the machine's clock."""


def taken(folder: Path) -> list[Taken]:
    """Every mail in a sink's folder, the oldest first. A file is named after the nanosecond it came in."""
    found = []
    for file in sorted(folder.glob("*.eml")):
        message = message_from_bytes(file.read_bytes(), policy=default)
        at = datetime.fromtimestamp(int(file.stem) / 1e9, UTC)
        found.append(Taken(str(message["Message-ID"]), str(message["To"]), at))
    return found


@dataclass
class Told:
    """What the log tells of one episode, in the order in which it was said."""

    customer: str
    events: list[Any] = field(default_factory=list)

    def all(self, kind: str) -> list[Any]:
        return [event for event in self.events if event["kind"] == kind]

    @property
    def invoices(self) -> set[str]:
        return {invoice for event in self.events for invoice in event["detail"].get("invoices", ())}

    def mailed(self) -> dict[int, Any]:
        """By step, the event that it went out: sent, or kept instead of being sent."""
        return {event["step"]: event for event in self.events if event["kind"] in {"email_sent", "email_captured"}}


@dataclass(frozen=True)
class Post:
    """Everything that was said of emails and everything that arrived."""

    events: Sequence[Entry]
    mails: Sequence[Taken]

    @classmethod
    def of(cls, kafka: str, folder: Path, *, owner: str) -> "Post":
        """A mail to the owner is the test of a sender."""
        return cls(read_topics(kafka, [EVENTS]), [mail for mail in taken(folder) if mail.recipient != owner])

    def episodes(self) -> dict[str, Told]:
        """By id; one id said twice counts once."""
        found: dict[str, Told] = {}
        for event in {entry.id: entry for entry in self.events}.values():
            content = event.content
            found.setdefault(content["episode_id"], Told(content["customer_id"])).events.append(content)
        return found


def unlike_the_sink(post: Post) -> Iterator[str]:
    """Emails that are sent and did not arrive, that arrived and are not sent, and any that went twice.

    One that is reported as unknown may have arrived.
    """
    said: dict[str, set[str]] = defaultdict(set)
    for entry in post.events:
        if (event := entry.content)["kind"].startswith("email_"):
            said[event["kind"]].add(event["message_id"])
    arrived = Counter(mail.message_id for mail in post.mails)
    yield from (f"the email {name} arrived {times} times" for name, times in arrived.items() if times > 1)
    yield from (f"the email {name} was sent and is not in the sink" for name in said["email_sent"] - arrived.keys())
    for name in arrived.keys() - said["email_sent"] - said["email_unknown"]:
        yield f"the email {name} arrived and was never said to be sent"
    yield from (f"the email {name} is captured and arrived" for name in said["email_captured"] & arrived.keys())
    yield from (f"the email {name} arrived and was not due" for name in arrived.keys() - said["email_due"])


def sent_twice(post: Post) -> Iterator[str]:
    """Steps of an episode that went out more than once."""
    steps: Counter[tuple[str, int, str]] = Counter()
    for entry in {entry.id: entry for entry in post.events}.values():
        event = entry.content
        if event["kind"] in {"email_sent", "email_captured", "email_failed"}:
            steps[event["episode_id"], event["step"], event["detail"]["attempt"]] += 1
    yield from (f"the step {step[1]} of {step[0]} ended {times} times" for step, times in steps.items() if times > 1)


def beyond_the_list(post: Post, allowed: Set[str]) -> Iterator[str]:
    """Mails to addresses that test mode may not mail; `allowed` are addresses and domains in lower case."""
    for mail in post.mails:
        address = mail.recipient.lower()
        if address not in allowed and address.partition("@")[2] not in allowed:
            yield f"{mail.message_id} went to {mail.recipient}, which is not on the list"


@dataclass(frozen=True)
class Company:
    """What the simulator knows, and what its API shows of the invoices that are sent.

    `since`: nothing that failed before was to be mailed. `seen`: everything until then must have been noticed.
    """

    failures: Mapping[str, Any]
    """By invoice."""
    sent_invoices: Mapping[str, Any]
    countries: Mapping[str, str]
    since: datetime
    seen: datetime
    now: datetime

    @classmethod
    def asked(cls, stripe: Any, *, since: datetime, seen: datetime, now: datetime) -> "Company":
        days = (now - since).days + HISTORY_DAYS
        truth = stripe.ask("/_truth", brief="1", days=str(days))
        failures = [one for several in truth["failed_payments"]["customers"].values() for one in several]
        invoices = stripe.everything("invoices", collection_method="send_invoice")
        customers = stripe.everything("customers")
        return cls(
            failures={one["invoice"]: one for one in failures},
            sent_invoices={one["id"]: one for one in invoices},
            countries={one["id"]: (one["address"] or {}).get("country", "") for one in customers},
            since=since,
            seen=seen,
            now=now,
        )

    def zone(self, customer: str, workspace: str) -> ZoneInfo:
        return ZoneInfo(ZONES.get(self.countries.get(customer, ""), workspace))

    def failed_at(self, invoice: str) -> datetime | None:
        """When it first asked for an email: its first failure, or its due date if it was sent."""
        if (failure := self.failures.get(invoice)) is not None:
            return _instant(failure["first_failed_at"])
        sent = self.sent_invoices.get(invoice)
        return _instant(sent["due_date"]) if sent and sent["due_date"] else None

    def settled(self, invoice: str) -> tuple[datetime, str] | None:
        """When nothing was to be paid on it any more, and how that came; None too where it is neither."""
        if (failure := self.failures.get(invoice)) is not None:
            at = failure["resolved_at"]
            return None if at is None else (_instant(at), failure["resolution"])
        if (sent := self.sent_invoices.get(invoice)) is None:
            return None
        stamps = sent["status_transitions"]
        ends = (("paid_at", "paid"), ("voided_at", "void"), ("marked_uncollectible_at", "uncollectible"))
        return next(((_instant(stamps[stamp]), how) for stamp, how in ends if stamps[stamp]), None)

    def overdue(self) -> set[str]:
        """Sent invoices that were open when they came to be due."""
        found = set()
        for name, invoice in self.sent_invoices.items():
            due, end = invoice["due_date"], self.settled(name)
            if (
                due
                and invoice["status"] != "draft"
                and _instant(due) <= self.now
                and not (end and end[0] <= _instant(due))
            ):
                found.add(name)
        return found


def mailed_after_paying(post: Post, company: Company) -> Iterator[str]:
    """Emails about what was settled when they went. Time stands still between the last read and the email."""
    for name, told in post.episodes().items():
        due = {event["step"]: event for event in told.all("email_due")}
        for event in told.all("email_sent"):
            at = datetime.fromisoformat(event["at"])
            for invoice in due[event["step"]]["detail"]["invoices"]:
                end = company.settled(invoice)
                if end is not None and end[0] <= at:
                    yield f"step {event['step']} of {name} went at {at}; {invoice} was {end[1]} at {end[0]}"


def not_read_before(post: Post, results: Iterable[Entry], company: Company, simulated: Any) -> Iterator[str]:
    """Emails that no fresh read preceded, or about what was settled when it was read.

    `simulated` gives the company's time at an instant of the machine's.
    """
    reads: dict[str, list[Entry]] = defaultdict(list)
    for result in results:
        reads[result.content["customer_id"]].append(result)
    first = {entry.id: entry for entry in reversed(post.events)}.values()
    dues = {(e.content["episode_id"], e.content["step"]): e for e in first if e.content["kind"] == "email_due"}
    for event in (e.content for e in first if e.content["kind"] == "email_sent"):
        due = dues[event["episode_id"], event["step"]]
        known = [read.content for read in reads[event["customer_id"]] if read.written_at <= due.written_at]
        if not known:
            yield f"step {event['step']} of {event['episode_id']} went without a read"
            continue
        read_at = max(datetime.fromisoformat(read["read_at"]) for read in known)
        for invoice in due.content["detail"]["invoices"]:
            end = company.settled(invoice)
            if end is not None and end[0] < simulated(read_at):
                yield f"step {event['step']} of {event['episode_id']}: {invoice} was {end[1]} when it was read"


def wrong_days(post: Post, company: Company, *, workspace_zone: str, late: timedelta) -> Iterator[str]:
    """Emails that went too early, outside the hours, later than `late` after they could, or not at all."""
    for name, told in post.episodes().items():
        if not told.all("opened") or told.all("held") or told.all("email_failed"):
            continue  # proposed, or for a while not to be mailed
        zone, mailed = company.zone(told.customer, workspace_zone), told.mailed()
        failed = [at for at in map(company.failed_at, told.all("opened")[0]["detail"]["invoices"]) if at]
        anchor = min(failed, default=company.since)
        opened = datetime.fromisoformat(told.all("opened")[0]["at"])
        ended = _ended_at(told)
        before: datetime | None = None
        for step, day in enumerate(DAYS, start=1):
            hard = any(company.failures.get(one, {}).get("hard") for one in told.invoices)
            early = _days_later(anchor, day, zone)
            early = max(early, anchor + WAIT) if step == 1 and not hard else early
            early = _open(early if before is None else max(early, before + GAP), zone)
            latest = _open(max(early, opened), zone) + late
            went = mailed.get(step)
            if went is None:
                if latest < min(ended or company.now, company.now) and max(mailed, default=0) < step:
                    yield f"step {step} of {name} ({told.customer}) was due at {early} and never went"
                break
            at = datetime.fromisoformat(went["at"])
            if at < early and not hard:
                yield f"step {step} of {name} went at {at}, before {early}"
            if not HOURS[0] <= at.astimezone(zone).hour < HOURS[1]:
                yield f"step {step} of {name} went at {at.astimezone(zone)}, outside the hours"
            if at > latest:
                yield f"step {step} of {name} went at {at}, and could have gone at {early}"
            before = at


def _ended_at(told: Told) -> datetime | None:
    ends = [event for event in told.events if event["kind"] in {"recovered", "closed", "exhausted"}]
    return min((datetime.fromisoformat(event["at"]) for event in ends), default=None)


def _open(at: datetime, zone: ZoneInfo) -> datetime:
    """The first instant from `at` on within the sending hours."""
    local = at.astimezone(zone)
    if HOURS[0] <= local.hour < HOURS[1]:
        return at
    day = local.date() + timedelta(days=1 if local.hour >= HOURS[1] else 0)
    return datetime.combine(day, time(HOURS[0]), zone).astimezone(UTC)


def _days_later(at: datetime, days: int, zone: ZoneInfo) -> datetime:
    return (at.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def untold_failures(post: Post, company: Company) -> Iterator[str]:
    """Invoices that failed, or were overdue, and are in no episode; and the reverse."""
    episodes = post.episodes().values()
    told = {invoice for episode in episodes for invoice in episode.invoices}
    mailed = {invoice for episode in episodes if episode.mailed() for invoice in episode.invoices}
    true = {name: _instant(one["known_at"]) for name, one in company.failures.items()}
    true |= {name: at for name in company.overdue() if (at := company.failed_at(name)) is not None}
    lasting = {name for name in true if (end := company.settled(name)) is None or end[0] > true[name] + LATE}
    for name in sorted(told - true.keys()):
        yield f"{name} is in an episode and neither failed nor is overdue"
    for name in sorted(lasting - told):
        if company.since < true[name] <= company.seen:
            yield f"{name} failed at {true[name]} and is in no episode"
    for name in sorted(mailed & true.keys()):
        if true[name] <= company.since:
            yield f"{name} failed at {true[name]}, before anybody looked, and was mailed about"


LATE = timedelta(hours=2)
"""What was settled so soon after it failed may never have been seen failing."""


def unlike_the_company(rows: Iterable[tuple[Any, ...]], company: Company) -> Iterator[str]:
    """Invoices of episodes (id, state, invoices) whose end is not the company's, and episodes that do not follow."""
    for name, state, invoices in rows:
        ends = {one["id"]: company.settled(one["id"]) for one in invoices}
        for one in invoices:
            end = ends[one["id"]]
            known = end is not None and end[0] <= company.seen
            if known and end is not None and one["end"] not in {end[1], "canceled", "customer_deleted"}:
                yield f"{one['id']} of {name} was {end[1]} at {end[0]}, and its episode says {one['end']}"
            if end is None and one["end"] in {"paid", "void", "uncollectible"}:
                yield f"{one['id']} of {name} is not settled, and its episode says {one['end']}"
        paid = [end for end in ends.values() if end is not None and end[1] == "paid" and end[0] <= company.seen]
        if ends and len(paid) == len(ends) and state not in {"recovered", "exhausted"}:
            yield f"everything of {name} was paid, and it is {state}"


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
