"""An engine without models, for tests: answers by a rule, and fails, waits or counts as told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from service.engine.protocol import Array, Batch, RowInputs
from service.errors import EngineFailure
from service.repository import ModelFolder

Rule = Callable[[RowInputs], Array]


class FakeEngine:
    """Answers each row by `rule`; rows for which `poison` is true make their whole batch fail.

    Attributes:
        batches: the size of each batch that ran, in order.
        shapes: the shapes of its tensors.
        is_ready, is_alive: what `ready` and `alive` say.
        gate: clear it to hold every call until it is set again.
    """

    pads_to_bucket = False
    gives_up = False
    device = "none"

    def __init__(self, rule: Rule, *, poison: Callable[[RowInputs], bool] | None = None) -> None:
        self._rule, self._poison = rule, poison
        self.batches: list[int] = []
        self.shapes: list[dict[str, tuple[int, ...]]] = []
        self.is_ready = self.is_alive = True
        self.gate = asyncio.Event()
        self.gate.set()

    async def start(self) -> None:
        """Nothing to load."""

    def ready(self) -> bool:
        """As told."""
        return self.is_ready

    def alive(self) -> bool:
        """As told."""
        return self.is_alive

    def slots(self, model: ModelFolder) -> int:
        """As many as the model has instances."""
        return model.instances

    async def infer(self, model: str, batch: Batch) -> Array:
        """Wait for the gate, then answer or fail."""
        await self.gate.wait()
        self.batches.append(len(batch))
        self.shapes.append({name: tensor.shape for name, tensor in batch.tensors().items()})
        if self._poison is not None and any(map(self._poison, batch.rows)):
            raise EngineFailure(f"the model '{model}' failed")
        return np.stack([self._rule(row) for row in batch.rows])

    async def close(self) -> None:
        """Nothing to close."""
