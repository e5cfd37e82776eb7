"""What one request carries from the first byte to the last: its id, its clock, what it holds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stages:
    """Seconds that a request spent in each stage; for many rows, the slowest row's."""

    read: float = 0.0
    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0

    def items(self) -> tuple[tuple[str, float], ...]:
        """The stages in the order in which they happen."""
        return (("read", self.read), ("decode", self.decode), ("queue", self.queue), ("infer", self.infer))


@dataclass(slots=True)
class RequestContext:
    """Created by the middleware, read by handlers and use cases. `headers`: lower-case names, as ASGI gives them."""

    request_id: str
    headers: dict[bytes, bytes]
    started_s: float = field(default_factory=time.perf_counter)
    stages: Stages = field(default_factory=Stages)
    held_bytes: int = 0
    held_items: int = 0
