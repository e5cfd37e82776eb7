"""What an experiment is: one row of docs/reliability.md, with figures and the bounds that must hold.

Each module below `tests/load/experiments/` holds one, as `EXPERIMENT`; nothing else registers it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from tests.load import experiments

Scale = Literal["full", "small"]
Value = int | float | str


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, and the bounds that it must keep; without a bound it only informs.

    `unit` is written behind the value. A `control` shows that the experiment can fail: its figure must go beyond the
    bound that the service keeps.
    """

    what: str
    value: Value
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    control: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bounds are kept."""
        if isinstance(self.value, str):
            return True
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def bound(self) -> str:
        """The bounds in words; empty when there is none."""
        parts = [("≥", self.at_least), ("≤", self.at_most)]
        if self.at_most is not None and self.at_most in {self.at_least, 0}:
            parts = [("=", self.at_most)]
        words = " and ".join(f"{sign} {write_number(bound)}" for sign, bound in parts if bound is not None)
        return " ".join(filter(None, (words, self.unit if words else "")))


@dataclass(frozen=True, slots=True)
class Experiment:
    """`run` does it at a scale and gives its figures; `small` takes seconds, for the tests."""

    name: str
    title: str
    run: Callable[[Scale], Sequence[Figure]]


def find_experiments() -> dict[str, Experiment]:
    """All of them by name, in the order of their modules' names."""
    modules = sorted(module.name for module in pkgutil.iter_modules(experiments.__path__))
    found = [import_module(f"{experiments.__name__}.{module}").EXPERIMENT for module in modules]
    return {experiment.name: experiment for experiment in found}


def broken(figures: Sequence[Figure]) -> list[str]:
    """A line for each figure that is out of its bounds; empty when all hold."""
    return [
        f"{figure.what}: {write_number(figure.value)} {figure.unit}, must be {figure.bound()}"
        for figure in figures
        if not figure.holds
    ]


def write_number(value: Value) -> str:
    """A number with at most three digits behind the point, thousands apart; tiny ones with a power of ten."""
    if isinstance(value, float):
        if 0 < abs(value) < 0.001:
            return f"{value:.1e}"
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
        return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value
