"""What the code that works on requests knows of traces: spans, which are None where nobody wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

Attributes = Mapping[str, str | int | float]


class Span(Protocol):
    """One step of a request (or of a batch) that is being recorded.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        traceparent: the W3C header that makes another service's spans children of this one.
    """

    @property
    def trace_id(self) -> str: ...  # noqa: D102

    @property
    def span_id(self) -> str: ...  # noqa: D102

    @property
    def traceparent(self) -> str: ...  # noqa: D102

    def child(self, name: str, attributes: Attributes, links: Sequence[Span] = (), *, asks: bool = False) -> Span:
        """Begin a step below this one; `links` name what else it serves, `asks` says that another process does it."""

    def add(self, name: str, started_s: float, ended_s: float, links: Sequence[Span] = ()) -> None:
        """A step below this one that is over; `time.perf_counter()` at its ends."""

    def end(self, attributes: Attributes, *, name: str | None = None, error: str | None = None) -> None:
        """The step is over; `error` is the code of what went wrong on our side, `name` a better name."""


class Tracer(Protocol):
    """Begins the spans of requests and sends what was recorded to a collector."""

    def begin(self, began_s: float, traceparent: bytes | None, tracestate: bytes | None) -> Span | None:
        """A request came at `began_s` (`time.perf_counter()`), with the caller's W3C context if it had a valid one.

        None: it is not recorded.
        """

    async def close(self) -> None:
        """Send what is left, for a short while."""
