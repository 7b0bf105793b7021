"""Health means progress."""

import json
import urllib.error
import urllib.request

import pytest

from runtime.errors import RuntimeFault
from runtime.health import Health
from runtime.health_server import HealthServer


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Monotonic:
    return Monotonic()


@pytest.fixture
def health(time: Monotonic) -> Health:
    health = Health("mrr", now=time)
    health.resumes()
    return health


def test_a_service_is_not_ready_until_it_has_started(time: Monotonic) -> None:
    report = Health("mrr", now=time).report()
    assert (report.alive, report.ready, report.reasons) == (True, False, ("starting",))


def test_idle_with_nothing_to_do_is_healthy_for_ever(health: Health, time: Monotonic) -> None:
    time.seconds += 10_000
    assert health.report().alive
    assert health.report().ready


def test_work_without_progress_is_death(health: Health, time: Monotonic) -> None:
    time.seconds += 10_000
    health.behind("invoices/3", 7)
    assert health.report().alive
    time.seconds += 31
    report = health.report()
    assert not report.alive
    assert "7 records behind" in report.reasons[0]


def test_progress_keeps_it_alive_and_a_partition_that_left_does_not_count(health: Health, time: Monotonic) -> None:
    health.behind("invoices/3", 7)
    time.seconds += 25
    health.progressed(5)
    time.seconds += 25
    assert health.report().alive
    time.seconds += 25
    health.forget("invoices/3")
    assert health.report().alive
    assert health.report().processed == 5


def test_what_is_waited_for_is_said_until_it_is_there(health: Health) -> None:
    health.waits("kafka", "no Kafka answers at kafka:9092")
    assert health.report().reasons == ("no Kafka answers at kafka:9092",)
    health.resumes("kafka")
    assert health.report().ready


def _get(address: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_pages_say_alive_ready_and_metrics(health: Health, time: Monotonic) -> None:
    server = HealthServer(health, "127.0.0.1", 0)
    server.start()
    try:
        health.behind("invoices/3", 7)
        assert _get(f"{server.address}/readyz")[0] == 200
        time.seconds += 31
        status, body = _get(f"{server.address}/healthz")
        assert status == 503
        assert json.loads(body)["lag"] == 7
        assert b"process_cpu_seconds_total" in _get(f"{server.address}/metrics")[1]
        assert _get(f"{server.address}/secrets")[0] == 404
    finally:
        server.stop()


def test_a_port_in_use_is_named_with_the_remedy(health: Health) -> None:
    first = HealthServer(health, "127.0.0.1", 0)
    try:
        with pytest.raises(RuntimeFault, match="set DROPFIX_HTTP_PORT"):
            HealthServer(health, "127.0.0.1", int(first.address.rsplit(":", 1)[1]))
    finally:
        first.stop()
