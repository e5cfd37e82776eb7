"""What one request carries from the first byte to the last: its id, its clock, what it holds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.access.gate import Caller

from service.tracing import Span

WEIGHTS = ("audio", "image", "text", "fused", "embedding")
"""Modalities, the dearest first."""


@dataclass(slots=True)
class Tally:
    """What a request held: items by modality, and how many of each modality could not be read, by the error's code."""

    items: dict[str, int] = field(default_factory=dict)
    failures: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, modality: str, count: int = 1) -> None:
        """The request holds `count` more items."""
        self.items[modality] = self.items.get(modality, 0) + count

    def failed(self, modality: str, code: str) -> None:
        """An item could not be decoded."""
        self.failures[modality, code] = self.failures.get((modality, code), 0) + 1

    def merge(self, other: Tally) -> None:
        """What a part of the request held."""
        for modality, count in other.items.items():
            self.add(modality, count)
        for key, count in other.failures.items():
            self.failures[key] = self.failures.get(key, 0) + count

    @property
    def dearest(self) -> str:
        """The modality that a request's time is owed to: its dearest one; `none` where it held nothing."""
        return next((modality for modality in WEIGHTS if modality in self.items), "none")


@dataclass(slots=True)
class Stages:
    """Seconds that a request spent in each stage; for many rows, the slowest row's.

    `deadline_s` is the event loop's time at which nobody waits for the answer any more; `ended_s` is
    `time.perf_counter()` when the last stage ended; `span` is the request's, None when it is not traced.
    """

    read: float = 0.0
    fetch: float = 0.0
    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0
    encode: float = 0.0
    deadline_s: float = math.inf
    ended_s: float = 0.0
    span: Span | None = None
    tally: Tally = field(default_factory=Tally)

    def add(self, other: Stages) -> None:
        """Add another's seconds."""
        self.read += other.read
        self.fetch += other.fetch
        self.decode += other.decode
        self.queue += other.queue
        self.infer += other.infer
        self.encode += other.encode

    def items(self) -> tuple[tuple[str, float], ...]:
        """The stages in the order in which they happen."""
        return (
            ("read", self.read),
            ("fetch", self.fetch),
            ("decode", self.decode),
            ("queue", self.queue),
            ("infer", self.infer),
            ("encode", self.encode),
        )

    def spent(self, stage: str, started_s: float) -> None:
        """A stage that began at `started_s` (`time.perf_counter()`) is over."""
        self.ended_s = ended_s = time.perf_counter()
        setattr(self, stage, getattr(self, stage) + ended_s - started_s)
        if self.span is not None:
            self.span.add(stage, started_s, ended_s)

    def answered(self) -> None:
        """The answer is rendered: what came after the engine was putting it together."""
        if self.infer and not self.encode:
            self.spent("encode", self.ended_s)

    def server_timing(self) -> str:
        """The stages that took time, as a `Server-Timing` header (W3C) has them, in milliseconds; may be empty."""
        return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in self.items() if seconds)


@dataclass(slots=True)
class RequestContext:
    """Created where a request comes in, read by handlers and use cases.

    `headers` has lower-case names, as ASGI gives them; `started_s` and `body_read_s` are the event loop's time,
    which is coarse (uvloop: 1 ms); `began_s` is `time.perf_counter()`. `body_bytes` and `answer_bytes` are sizes on
    the wire; `caller` is None where no key was needed, `charged_items`
    is how many items its key has paid for.
    What it holds: see `Holder`.
    """

    request_id: str
    headers: dict[bytes, bytes]
    started_s: float
    body_read_s: float | None = None
    stages: Stages = field(default_factory=Stages)
    held_bytes: int = 0
    held_items: int = 0
    shared_bytes: int = 0
    began_s: float = field(default_factory=time.perf_counter)
    body_bytes: int = 0
    answer_bytes: int = 0
    caller: Caller | None = None
    charged_items: int = 0

    def charge_up_to(self, items: int, *, in_debt: bool = False) -> None:
        """Account for all items of this request so far: for those that were not charged yet.

        The first ones must be within the key's rate. Those that come to light later, as windows and new labels, leave
        it in debt: a refusal would come when the request has paid, and at every further try.

        Raises:
            Unauthenticated, Forbidden, RateLimited: see `Caller.charge_items`.
        """
        if self.caller is not None:
            more = max(0, items - self.charged_items)
            self.caller.charge_items(more, in_debt=in_debt or self.charged_items > 0)
            self.charged_items += more
