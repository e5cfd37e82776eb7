"""What one request carries from the first byte to the last: its id, its clock, what it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.access.gate import Caller


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

    `headers` has lower-case names, as ASGI gives them; `started_s` and `body_read_s` are the event loop's time;
    `caller` is None where no key was needed.
    """

    request_id: str
    headers: dict[bytes, bytes]
    started_s: float
    body_read_s: float | None = None
    stages: Stages = field(default_factory=Stages)
    held_bytes: int = 0
    held_items: int = 0
    caller: Caller | None = None

    def charge_items(self, count: int) -> None:
        """Account for items that are about to be worked on.

        Raises:
            Unauthenticated, Forbidden, RateLimited: see `Caller.charge_items`.
        """
        if self.caller is not None:
            self.caller.charge_items(count)
