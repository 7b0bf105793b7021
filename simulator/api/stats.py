"""What was asked of the server."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Stats:
    """Counts since the start, or since they were last reset."""

    reads: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)
    by_status: dict[str, int] = field(default_factory=dict)
    refused_methods: dict[str, int] = field(default_factory=dict)
    objects: int = 0

    def read(self, operation: str) -> None:
        self.reads += 1
        self.by_operation[operation] = self.by_operation.get(operation, 0) + 1

    def answered(self, status: int) -> None:
        name = str(status)
        self.by_status[name] = self.by_status.get(name, 0) + 1

    def refused(self, method: str) -> None:
        self.refused_methods[method] = self.refused_methods.get(method, 0) + 1

    def describe(self, violations: dict[str, int]) -> dict[str, Any]:
        """As JSON."""
        return {
            "reads": self.reads,
            "objects": self.objects,
            "by_operation": dict(sorted(self.by_operation.items())),
            "by_status": dict(sorted(self.by_status.items())),
            "refused_methods": dict(self.refused_methods),
            "rate_limit_violations": dict(violations),
        }

    def reset(self) -> None:
        self.reads = self.objects = 0
        self.by_operation.clear()
        self.by_status.clear()
        self.refused_methods.clear()
