"""Batches on their way to the model: planned, decoded by worker processes, joined."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from training.data.batches import Batch, BatchPlan, join
from training.data.examples import Example, ExampleSet

BATCHES_AHEAD = 8  # decoded before they are asked for, by each worker


class Feed:
    """The batches of one set of examples, from any step on."""

    def __init__(self, examples: ExampleSet, plan: BatchPlan, workers: int) -> None:
        self._plan = plan
        self._loader: DataLoader[Example] = DataLoader(
            examples,
            batch_sampler=plan,
            collate_fn=join,
            num_workers=workers,
            prefetch_factor=BATCHES_AHEAD if workers else None,
            worker_init_fn=_use_one_thread,
            pin_memory=torch.cuda.is_available(),
        )

    @property
    def batches_per_epoch(self) -> int:
        """Full batches that the examples make."""
        return self._plan.batches_per_epoch

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Batches from number `start` on, without end."""
        self._plan.start = start
        return iter(self._loader)


def _use_one_thread(_: int) -> None:
    torch.set_num_threads(1)
