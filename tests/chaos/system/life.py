"""What goes on while blows fall: at the company, in the product, and in the console; and records that come twice."""

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event
from typing import Any, LiteralString
from uuid import UUID

import httpx
import kafka
import psycopg

from tests.fixtures.system import RunningDropFix, SimulatedStripe
from tests.verifier.log import read_topics

EVERY_SECONDS = 0.7
DECLINES = ("insufficient_funds", "lost_card", "stolen_card", "expired_card")
REPEATED = (
    *(f"stripe.{kind}.raw.v1" for kind in ("customer", "subscription", "invoice", "charge", "payment_intent")),
    "product.identify.v1",
    "product.track.v1",
    "control.decision.v1",
    "identity.match.v1",
    "dunning.event.v1",
)
"""Topics in which a record may come twice, as after a producer that was not told that its first try arrived."""


_FAILING: LiteralString = "SELECT customer_id FROM analytics.dunning_episodes WHERE ended_at IS NULL ORDER BY 1"


@dataclass
class Director:
    """Has things happen to the company, by a seed: what a founder wants to hear of, and Stripe puts a time on."""

    stripe: SimulatedStripe
    draw: random.Random
    done: int = 0

    def act(self) -> None:
        """One thing."""
        verb = self.draw.choices(["fail", "cancel", "settle", "seats", "join", "delete"], [4, 1, 3, 2, 1, 1])[0]
        if verb == "join":
            self._join()
        elif order := self._order(verb):
            self.done += self.stripe.tries(**order)

    def _order(self, verb: str) -> dict[str, object] | None:
        if verb == "settle":
            due = list(self.stripe.everything("invoices", status="open"))
            how = self.draw.choice(["pay", "pay", "pay_out_of_band", "void"])
            return {"do": how, "invoice": self.draw.choice(due)["id"]} if due else None
        running = [one for one in self.stripe.everything("subscriptions", status="active") if _plain(one)]
        subscription = self.draw.choice(running)
        match verb:
            case "fail":
                return {"do": "fail_now", "subscription": subscription["id"], "reason": self.draw.choice(DECLINES)}
            case "cancel":
                return {"do": "cancel", "subscription": subscription["id"]}
            case "delete":
                return {"do": "delete_customer", "customer": subscription["customer"]}
        quantity = self.draw.randrange(2, 9)
        seats = {"quantity": quantity, "proration": "always_invoice"}
        return {"do": "change_seats", "subscription": subscription["id"], **seats}

    def _join(self) -> None:
        email = f"new.{self.draw.randrange(10**9)}@customers.example"
        who = self.stripe.tell("/_act", {"do": "create_customer", "email": email})["customer"]
        self.done += self.stripe.tries(do="subscribe", customer=who)


def _plain(subscription: dict[str, object]) -> bool:
    """Whether it is worth money by its seats alone, so that what happens to it has one reading."""
    items = subscription["items"]
    assert isinstance(items, dict)
    prices = [item["price"] for item in items["data"]]
    return all(price["billing_scheme"] == "per_unit" and price["unit_amount"] for price in prices) and not (
        subscription["pause_collection"] or subscription["cancel_at"] or subscription["discounts"]
    )


@dataclass
class Product:
    """The customer's own app: it says who its users are and what they do, and says again what was not taken."""

    dropfix: RunningDropFix
    write_key: str
    draw: random.Random
    customers: list[Any]
    waiting: list[Mapping[str, object]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """Ids of the messages that the console said it has."""

    def act(self) -> None:
        """Say something of some users; now and then what was said before."""
        self.waiting += [self._message() for _ in range(3)]
        if self.draw.random() < 0.2:
            self.waiting.append(self.waiting[0])
        self.flush()

    def flush(self) -> bool:
        """Send what waits; whether all of it was taken."""
        if not self.waiting:
            return True
        try:
            answer = httpx.post(
                f"{self.dropfix.addresses['console']}/v1/batch",
                json={"batch": self.waiting},
                auth=(self.write_key, ""),
                timeout=20,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        assert answer.status_code not in range(400, 500), answer.text
        if answer.is_success:
            self.taken |= {str(message["messageId"]) for message in self.waiting}
            self.waiting = []
        return answer.is_success

    def _message(self) -> Mapping[str, object]:
        customer, name = self.draw.choice(self.customers), str(UUID(int=self.draw.getrandbits(128)))
        user = f"user_{self.customers.index(customer)}"
        if self.draw.random() < 0.5:
            traits = {"email": customer["email"], "plan": self.draw.choice(["free", "pro"])}
            return {"type": "identify", "messageId": name, "userId": user, "traits": traits}
        return {"type": "track", "messageId": name, "userId": user, "event": "Report made", "properties": {}}


@dataclass
class Owner:
    """A person who decides things. What the console does not take is not decided, or is: nobody can tell."""

    dropfix: RunningDropFix
    draw: random.Random
    connection_id: str
    held: list[str] = field(default_factory=list)
    done: int = 0

    def act(self) -> None:
        """Decide one thing."""
        kind, detail = self._decision()
        connection = self.connection_id if "customer_id" in detail else None
        decision = {"kind": kind, "detail": detail, "connection_id": connection}
        try:
            with self.dropfix.operator as console:
                answer = console.post("/api/decisions", json=decision)
        except httpx.TransportError:
            return
        assert answer.status_code not in range(400, 500), answer.text
        self.done += answer.is_success

    def _decision(self) -> tuple[str, dict[str, object]]:
        choice = self.draw.random()
        if choice < 0.4:
            return "workspace.settings", {"color": f"#{self.draw.randrange(1 << 24):06x}"}
        if choice < 0.6 and self.held:
            return "dunning.release", {"customer_id": self.held.pop()}
        failing = self._failing()
        if failing and choice < 0.8:
            self.held.append(self.draw.choice(failing))
            return "dunning.hold", {"customer_id": self.held[-1]}
        return "dunning.suppress", {"email": f"nobody.{self.draw.randrange(100)}@customers.example"}

    def _failing(self) -> list[str]:
        """Customers with an open episode, as far as the database answers."""
        try:
            rows = self.dropfix.rows(_FAILING)
        except psycopg.OperationalError:
            return []
        return [customer for (customer,) in rows]


@contextmanager
def going_on(*acts: Callable[[], None]) -> Iterator[None]:
    """Have these happen in turn, again and again, while the block runs; raises at its end what went wrong in them."""
    stopping = Event()

    def go_on() -> None:
        for act in cycle(acts):
            if stopping.wait(EVERY_SECONDS):
                return
            act()

    with ThreadPoolExecutor(1, thread_name_prefix="life") as side:
        life = side.submit(go_on)
        try:
            yield
        finally:
            stopping.set()
        life.result()


def say_again(bootstrap: str, draw: random.Random, count: int) -> int:
    """Publish some records once more, byte for byte, in the partitions where they are; gives how many."""
    known = read_topics(bootstrap, REPEATED)
    again = draw.sample(known, min(count, len(known)))
    producer = kafka.KafkaProducer(bootstrap_servers=bootstrap)
    try:
        for one in again:
            producer.send(
                one.topic, partition=one.partition, key=one.key, value=one.value, headers=list(one.headers)
            ).get(timeout=30)
    finally:
        producer.close()
    return len(again)
