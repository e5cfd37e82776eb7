"""What an engine promises: run one batch of one model, without blocking the event loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.repository import PAD_TOKEN, ModelFolder
from service.tracing import Span

Array = NDArray[Any]
RowInputs = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one model that run together.

    `rows` holds each row's inputs without a batch axis. Only `tensors` copies them, so that an engine can do it
    in its own thread. `length`, when set, is what to pad `waveform` (or else `tokens`) to; otherwise the longest
    row's length. `deadline_s` is the event loop's time when nobody waits for any of the rows any more. `span` is the
    batch's, where one of its requests is traced.
    """

    rows: Sequence[RowInputs]
    length: int | None = None
    deadline_s: float = math.inf
    span: Span | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def tensors(self) -> dict[str, Array]:
        """Stack the rows to [B, …]: token ids padded with 1, samples with 0."""
        return {name: self._stack(name) for name in self.rows[0]}

    def _stack(self, name: str) -> Array:
        rows = [row[name] for row in self.rows]
        shapes = {row.shape for row in rows}
        if rows[0].ndim != 1 or (len(shapes) == 1 and self.length is None):
            return np.stack(rows) if len(rows) > 1 else rows[0][None]
        longest = max(max(row.shape[0] for row in rows), self._padded_length(name))
        stacked = np.full((len(rows), longest), PAD_TOKEN if name == "tokens" else 0, dtype=rows[0].dtype)
        for target, row in zip(stacked, rows, strict=True):
            target[: row.shape[0]] = row
        return stacked

    def _padded_length(self, name: str) -> int:
        bucketed = "waveform" if "waveform" in self.rows[0] else "tokens"
        return self.length if name == bucketed and self.length is not None else 0


class Engine(Protocol):
    """Runs the models of one repository.

    `pads_to_bucket`: whether rows should be padded to their length bucket's bound, because equal shapes merge or
    compile better there; otherwise to the longest row of the batch. `gives_up`: whether cancelling `infer` ends the
    work, too. `device`: what computes, for `/info`.
    """

    pads_to_bucket: bool
    gives_up: bool
    device: str

    async def start(self) -> None:
        """Load and warm every model, or begin to look after those who do."""

    def ready(self) -> bool:
        """Whether `infer` can be expected to answer now, for every model."""

    def alive(self) -> bool:
        """Whether all that runs in this process still does; if not, only a new process can answer everything."""

    def slots(self, model: ModelFolder) -> int:
        """How many calls of a model should be under way at once."""

    async def infer(self, model: str, batch: Batch) -> Array:
        """Run one batch.

        Returns:
            the model's output, float32 [B, …], row i for `batch.rows[i]`.

        Raises:
            EngineFailure: the backend failed on this batch; one of its rows may be why.
            Unavailable: the backend can't answer now, whatever the rows are: EngineUnavailable, QueueFull,
                DeadlineExceeded.
        """

    async def close(self) -> None:
        """Let go of threads and models; calls under way are finished first."""
