"""What one request carries from the first byte to the last: its id, its clock, what it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stages:
    """Seconds that a request spent in each stage; for many rows, the slowest row's."""

    read: float = 0.0
    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, stage, getattr(self, stage) + time.perf_counter() - started)

    def items(self) -> tuple[tuple[str, float], ...]:
        """The stages in the order in which they happen."""
        return (("read", self.read), ("decode", self.decode), ("queue", self.queue), ("infer", self.infer))


@dataclass(slots=True)
class RequestContext:
    """Created by the middleware, read by handlers and use cases."""

    request_id: str
    started_s: float = field(default_factory=time.perf_counter)
    stages: Stages = field(default_factory=Stages)
    held_bytes: int = 0
    held_items: int = 0
