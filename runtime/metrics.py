"""Prometheus metrics that every process has; a service adds its own beside them.

Names follow Prometheus' conventions: base units, `_total` for counters. Labels never hold a customer, a key or an
address, so their number stays small.
"""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from runtime.health import Health

RECORDS = Counter("dropfix_records_total", "Records applied, by topic.", ["topic"])
DEAD_LETTERS = Counter("dropfix_dead_letters_total", "Records sent to the dead-letter topic, by topic.", ["topic"])
TRANSACTION_SECONDS = Histogram(
    "dropfix_transaction_seconds",
    "Duration of the one transaction.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PUBLISHED = Counter("dropfix_published_total", "Records acknowledged by Kafka, by topic.", ["topic"])


class HealthCollector(Collector):
    """The health report as gauges, read when Prometheus asks."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        report = self._health.report()
        for name, text, value in (
            ("dropfix_lag_records", "Records still to be processed.", report.lag),
            ("dropfix_ready", "1 while the service does its work.", int(report.ready)),
            ("dropfix_idle_seconds", "Seconds since the last progress.", report.seconds_since_progress),
        ):
            yield GaugeMetricFamily(name, text, value=float(value))


def expose_health(health: Health, registry: CollectorRegistry = REGISTRY) -> None:
    """Add the health's gauges to the registry that `/metrics` shows."""
    registry.register(HealthCollector(health))
