"""Traces by OpenTelemetry's SDK, sent by OTLP over HTTP. Only `tracer_choice.py` imports this."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace import Tracer as SdkTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__
from service.tracing import Attributes, Span

TRACES_PATH = "/v1/traces"
SAMPLED = 1  # the flag of `traceparent`
EXPORT_TIMEOUT_S = 5
CLOSE_S = 3.0
"""How long the end of the process waits for a collector."""
_PROPAGATOR = TraceContextTextMapPropagator()


class OtlpTracer:
    """Traces the share `ratio` of requests; a caller's own decision (the sampled flag of `traceparent`) goes first.

    The decision is made here and not by the SDK's samplers, which cost a request that is not traced some 30 µs.
    `endpoint` is the collector's URL; without a path it is completed with `/v1/traces`, as OTLP has it.
    """

    def __init__(self, endpoint: str, ratio: float) -> None:
        url = endpoint.rstrip("/")
        if "/" not in url.partition("://")[2]:
            url += TRACES_PATH
        resource = Resource.create(
            {"service.name": "onepeace", "service.version": __version__, "service.instance.id": os.urandom(16).hex()}
        )
        self._ratio = ratio
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(url, timeout=EXPORT_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("onepeace", __version__)

    def begin(self, began_s: float, traceparent: bytes | None, tracestate: bytes | None) -> Span | None:
        """A span of kind SERVER; see `Tracer.begin`."""
        if not self._wanted(traceparent):
            return None
        carrier = {} if traceparent is None else {"traceparent": traceparent.decode()}
        if carrier and tracestate is not None:
            carrier["tracestate"] = tracestate.decode("latin-1")
        parent = _PROPAGATOR.extract(carrier, Context())
        epoch_ns = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span("request", parent, SpanKind.SERVER, start_time=epoch_ns + int(began_s * 1e9))
        return OtlpSpan(self._tracer, span, epoch_ns)

    def _wanted(self, traceparent: bytes | None) -> bool:
        if traceparent is not None:
            return bool(int(traceparent[-2:], 16) & SAMPLED)
        return random.random() < self._ratio  # noqa: S311 (nothing secret hangs on it)

    async def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for beyond `CLOSE_S`."""
        thread = threading.Thread(target=self._provider.shutdown, name="otlp-close", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, CLOSE_S)


class OtlpSpan:
    """One span. `epoch_ns` is the wall clock's time when `time.perf_counter()` was 0."""

    __slots__ = ("_context", "_epoch_ns", "_parent", "_span", "_tracer")

    def __init__(self, tracer: SdkTracer, span: SdkSpan, epoch_ns: int) -> None:
        self._tracer, self._span, self._epoch_ns = tracer, span, epoch_ns
        self._context: SpanContext = span.get_span_context()
        self._parent = set_span_in_context(span, Context())

    @property
    def trace_id(self) -> str:
        """See `Span`."""
        return f"{self._context.trace_id:032x}"

    @property
    def span_id(self) -> str:
        """See `Span`."""
        return f"{self._context.span_id:016x}"

    @property
    def traceparent(self) -> str:
        """See `Span`."""
        return f"00-{self.trace_id}-{self.span_id}-{self._context.trace_flags:02x}"

    def child(self, name: str, attributes: Attributes, links: Sequence[Span] = (), *, asks: bool = False) -> Span:
        """See `Span.child`."""
        span = self._tracer.start_span(
            name,
            self._parent,
            SpanKind.CLIENT if asks else SpanKind.INTERNAL,
            attributes,
            _links(links),
        )
        return OtlpSpan(self._tracer, span, self._epoch_ns)

    def add(self, name: str, started_s: float, ended_s: float, links: Sequence[Span] = ()) -> None:
        """See `Span.add`."""
        span = self._tracer.start_span(
            name,
            self._parent,
            links=_links(links),
            start_time=self._epoch_ns + int(started_s * 1e9),
        )
        span.end(self._epoch_ns + int(ended_s * 1e9))

    def end(self, attributes: Attributes, *, name: str | None = None, error: str | None = None) -> None:
        """See `Span.end`."""
        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(dict(attributes))
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _links(spans: Sequence[Span]) -> list[Link]:
    return [Link(span._context) for span in spans if isinstance(span, OtlpSpan)]
