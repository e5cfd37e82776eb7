"""Means of what many steps report."""

from __future__ import annotations

import torch
from torch import Tensor

from training.distributed import mean_over_processes


class RunningMeans:
    """Running means of named values, over this process until they are taken, then over all."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        """Count in one value of each name, [] each."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value.detach().cpu()
            self._counts[name] = self._counts.get(name, 0) + 1

    def state(self) -> dict[str, tuple[Tensor, int]]:
        """What was added since the last report."""
        return {name: (total, self._counts[name]) for name, total in self._sums.items()}

    def load(self, state: dict[str, tuple[Tensor, int]]) -> None:
        """Go on from what `state` gave."""
        self._sums = {name: total for name, (total, _) in state.items()}
        self._counts = {name: count for name, (_, count) in state.items()}

    def take(self) -> dict[str, float]:
        """The means, and start anew; every process must ask."""
        means = {name: float(mean_over_processes(total / self._counts[name])) for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means
