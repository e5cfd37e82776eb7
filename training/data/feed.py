"""Batches on their way to the model: planned, decoded by worker processes, joined."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from training.data.batches import Batch, BatchPlan, join
from training.data.examples import Example, ExampleSet
from training.data.table import TableError

BATCHES_AHEAD = 8  # decoded before they are asked for, by each worker


class _Told(Dataset["Example | TableError"]):
    """Examples, with errors as values: one that is raised in a worker arrives with a traceback for its message."""

    def __init__(self, examples: ExampleSet) -> None:
        self._examples = examples

    def __getitem__(self, index: int) -> Example | TableError:
        try:
            return self._examples[index]
        except TableError as error:
            return error


class Feed:
    """The batches of one set of examples, from any step on."""

    def __init__(self, examples: ExampleSet, plan: BatchPlan, workers: int) -> None:
        self._plan = plan
        self._loader: DataLoader[Example | TableError] = DataLoader(
            _Told(examples),
            batch_sampler=plan,
            collate_fn=_join,
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
        """Batches from number `start` on, without end.

        Raises:
            TableError: an example can't be used.
        """
        self._plan.start = start
        for batch in self._loader:
            if isinstance(batch, TableError):
                raise batch
            yield batch


def _join(examples: list[Example | TableError]) -> Batch | TableError:
    for example in examples:
        if isinstance(example, TableError):
            return example
    return join([example for example in examples if isinstance(example, Example)])


def _use_one_thread(_: int) -> None:
    torch.set_num_threads(1)
