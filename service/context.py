"""What one request carries from the first byte to the last: its id, its clock, what it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stages:
    """Seconds that a request spent in each stage; for many rows, the slowest row's.

    `deadline_s` is the event loop's time at which nobody waits for the answer any more.
    """

    read: float = 0.0
    fetch: float = 0.0
    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0
    deadline_s: float = math.inf

    def add(self, other: Stages) -> None:
        """Add another's seconds."""
        self.read += other.read
        self.fetch += other.fetch
        self.decode += other.decode
        self.queue += other.queue
        self.infer += other.infer

    def items(self) -> tuple[tuple[str, float], ...]:
        """The stages in the order in which they happen."""
        return (
            ("read", self.read),
            ("fetch", self.fetch),
            ("decode", self.decode),
            ("queue", self.queue),
            ("infer", self.infer),
        )

    def server_timing(self) -> str:
        """The stages that took time, as a `Server-Timing` header (W3C) has them, in milliseconds; may be empty."""
        return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in self.items() if seconds)


@dataclass(slots=True)
class RequestContext:
    """Created by the middleware, read by handlers and use cases.

    `headers` has lower-case names, as ASGI gives them; `started_s` and `body_read_s` are the event loop's time. What it
    holds: see `Holder`.
    """

    request_id: str
    headers: dict[bytes, bytes]
    started_s: float
    body_read_s: float | None = None
    stages: Stages = field(default_factory=Stages)
    held_bytes: int = 0
    held_items: int = 0
    shared_bytes: int = 0
