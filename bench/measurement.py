"""What a benchmark found out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

Figures = float | Mapping[str, float]
"""One figure, or several by what they are of."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure, what it is compared with in the same run, and the goal.

    `goal` has the shape of `value`; with `lower_is_better` a figure holds when it is not above its goal.
    """

    name: str
    value: Figures
    unit: str
    goal: Figures
    compared_with: Mapping[str, float]
    lower_is_better: bool = False

    @property
    def holds(self) -> bool:
        """Whether every figure reaches its goal."""
        values, goals = _by_name(self.value), _by_name(self.goal)
        return all(
            values[name] <= goal if self.lower_is_better else values[name] >= goal for name, goal in goals.items()
        )

    def encode(self) -> str:
        """One JSON object on one line."""
        content = asdict(self) | {"holds": self.holds}
        wanted = ("name", "value", "unit", "goal", "holds", "compared_with")
        return json.dumps({name: content[name] for name in wanted})

    def table(self) -> str:
        """For a person."""
        goals = _by_name(self.goal)
        lines = [f"{self.name} ({self.unit})"]
        for name, value in _by_name(self.value).items():
            verdict = ""
            if (goal := goals.get(name)) is not None:
                reached = value <= goal if self.lower_is_better else value >= goal
                sign = "≤" if self.lower_is_better else "≥"
                verdict = f"   goal {sign} {_shown(goal)}   {'holds' if reached else 'MISSED'}"
            lines.append(f"  {name or self.name:<28}{_shown(value):>14}{verdict}")
        lines += [f"  {f'({name})':<28}{_shown(value):>14}" for name, value in self.compared_with.items()]
        return "\n".join(lines)


def _shown(figure: float) -> str:
    """Two decimals where a figure is small and has any."""
    return f"{figure:,.2f}" if abs(figure) < 100 and figure != int(figure) else f"{figure:,.0f}"


def _by_name(figures: Figures) -> Mapping[str, float]:
    return figures if isinstance(figures, Mapping) else {"": figures}
