"""The books of all requests, whatever wire they came by: metrics, trace, what they hold, and one log line each."""

from __future__ import annotations

import logging
import time

from service.admission import Admission
from service.context import RequestContext, Stages
from service.correlation import valid_traceparent
from service.errors import ServiceError
from service.log_sink import LogSink
from service.metrics import PROBES, Metrics
from service.request_line import render_json, render_text, request_record
from service.tracing import Tracer

logger = logging.getLogger("service.requests")
CLIENT_CLOSED_REQUEST = 499
"""The status in metrics and logs of a request whose caller left."""


class Ledger:
    """Every request is opened once and closed once."""

    def __init__(self, metrics: Metrics, admission: Admission, tracer: Tracer | None) -> None:
        self._metrics, self._admission, self._tracer = metrics, admission, tracer
        self._sink: LogSink | None = None
        self._render = render_text

    def log_to(self, sink: LogSink, *, as_json: bool) -> None:
        """Write requests' lines past the logging package, which costs more than the line."""
        self._sink = sink
        self._render = render_json if as_json else render_text

    def open(self, context: RequestContext, path: str) -> None:
        """A request has come; `path` as the caller wrote it."""
        self._metrics.in_flight.inc()
        if self._tracer is not None and path not in PROBES:
            headers = context.headers
            context.stages.span = self._tracer.begin(
                context.began_s, valid_traceparent(headers.get(b"traceparent")), headers.get(b"tracestate")
            )

    def close(self, context: RequestContext, endpoint: str, status: int, error: object) -> None:
        """A request has ended, with an HTTP status (that of its error's class on other wires)."""
        metrics, stages = self._metrics, context.stages
        metrics.in_flight.dec()
        self._admission.release(context)
        duration_s = time.perf_counter() - context.began_s
        known = error if isinstance(error, ServiceError) else None
        metrics.request_ended(endpoint, status, duration_s, stages)
        if known is not None:
            metrics.request_failed(type(known))
        if stages.span is not None:
            code = known.code if known is not None else str(status)
            stages.span.end(_attributes(context, status), name=endpoint, error=code if status >= 500 else None)
        level = logging.DEBUG if endpoint in PROBES else logging.WARNING if status >= 500 else logging.INFO
        if logger.isEnabledFor(level):
            record = request_record(context, endpoint, status, duration_s, known)
            line = self._render(record, level)
            if self._sink is not None:
                self._sink.write(line.encode() + b"\n")
            else:
                logger.log(level, "%s", line)

    def item_ended(self, stages: Stages, outcome: object) -> None:
        """An item of a stream has ended, well or with an error."""
        self._metrics.stages_ended(stages)
        if isinstance(outcome, ServiceError):
            self._metrics.stream_item_failed(type(outcome))


def _attributes(context: RequestContext, status: int) -> dict[str, str | int | float]:
    items = {f"onepeace.items.{modality}": count for modality, count in context.stages.tally.items.items()}
    return {"http.response.status_code": status, "onepeace.request_id": context.request_id, **items}
