"""Prometheus metrics, in a registry of their own. Only the ledger, the batcher and the engines report here.

Label values are bounded: endpoints, modalities, models, stages, statuses, codes and reasons of the classes in
`errors.py`, addresses of Triton. Nothing that a caller writes becomes one.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from service import __version__
from service.batching.batcher import BatchReport
from service.context import Stages
from service.engine.observer import BreakerState
from service.errors import ServiceError, error_classes, rejection_reason

DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
PROBES = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Endpoints for machines that ask every few seconds: not traced, of no modality, and logged only at level debug."""
RESTART_REASONS = ("crashed", "timeout", "memory", "abandoned", "lost")
"""Those of `decoding.choice.DecodingObserver`."""
RELOADED = ("keys", "certificates")
"""What can be read anew: the names of the classes below `access.reloading.Reloadable`."""
Exemplar = dict[str, str]


class Metrics:
    """All series of the service."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, for the time of a start that the process's series tell anyway
        self.registry = CollectorRegistry()
        self._add_request_series()
        self._add_item_series()
        self._add_batch_series()
        self._add_engine_series()
        self._add_process_series()
        self._add_access_series()

    def _add_request_series(self) -> None:
        self.requests = self._counter("requests", "Requests answered", "endpoint", "status")
        self.duration = self._seconds("request_duration", "Seconds from the first byte to the answer", "endpoint")
        self.stages = self._seconds("stage_duration", "Seconds of a request in each stage", "stage")
        self.in_flight = self._gauge("requests_in_flight", "Requests being worked on")
        self.errors = self._counter("errors", "Requests that ended in a problem, by its code", "code")
        self.rejections = self._counter("rejections", "Requests turned away, by the reason", "reason")
        self._stage_series = {stage: self.stages.labels(stage) for stage, _ in Stages().items()}
        self.stream_item_errors = self._counter(
            "stream_item_errors", "Items of streams that were answered with an error, by its code", "code"
        )
        for error in error_classes():  # from 0 on, so that the first one is an increase, too
            self.errors.labels(error.code)
            self.stream_item_errors.labels(error.code)
            if reason := rejection_reason(error):
                self.rejections.labels(reason)

    def _add_item_series(self) -> None:
        self.modality_duration = self._seconds(
            "modality_duration",
            "Seconds of requests by the dearest modality that they hold: audio, image, text, fused, embedding, none",
            "modality",
            "outcome",
        )
        self.items = self._counter("items", "Items that requests held, whatever became of them", "modality")
        self.decode_failures = self._counter(
            "decode_failures", "Items that could not be read, by the error's code", "modality", "reason"
        )

    def _add_batch_series(self) -> None:
        own = self.registry
        self.batch_size = Histogram(
            "onepeace_batch_size", "Rows of each engine call", ["model"], buckets=BATCH_BUCKETS, registry=own
        )
        self.batch_duration = self._seconds("batch_duration", "Seconds of each engine call", "model")
        self.positions = self._counter("positions", "Token ids or samples computed, padding included", "model")
        self.padding = self._counter("padding_positions", "The padding among them", "model")
        self.queue_depth = self._gauge("queue_depth", "Rows that wait for an engine slot", "model")
        self.decode_worker_restarts = self._counter(
            "decode_worker_restarts", "Decoding processes that were replaced", "reason"
        )
        for reason in RESTART_REASONS:  # from 0 on, as errors
            self.decode_worker_restarts.labels(reason)

    def _add_engine_series(self) -> None:
        self.engine_up = self._gauge("engine_up", "1 while every model can be expected to answer")
        self.engine_calls = self._counter("engine_calls", "Attempts at a remote engine", "model", "outcome")
        self.engine_call_duration = self._seconds(
            "engine_call_duration", "Seconds of each attempt at a remote engine", "model"
        )
        self.engine_retries = self._counter("engine_retries", "Second attempts at a remote engine", "model")
        self.breakers = self._gauge(
            "engine_breaker_state",
            "Breaker of a model on a server: 0 closed, 1 half open, 2 open",
            "address",
            "model",
        )

    def _add_process_series(self) -> None:
        self.ready = self._gauge("ready", "1 while /health/ready answers 200")
        self.queue_limit = self._gauge("queue_limit", "Items that may be at work at once (max_queue)")
        self.admitted_items = self._gauge("admitted_items", "Items at work, decoding and waiting")
        self.admitted_bytes = self._gauge("admitted_bytes", "Bytes that requests at work hold")
        self.bytes_limit = self._gauge("bytes_limit", "Bytes that they may hold (max_pending_bytes)")
        self.log_lines_dropped = self._counter("log_lines_dropped", "Log lines that could not be written")
        build = self._gauge("build_info", "The running version", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _add_access_series(self) -> None:
        """Keys by their names in the key file, never by what was sent."""
        self.key_requests = self._counter("key_requests", "Requests with a key of the key file", "key", "outcome")
        self.key_items = self._counter("key_items", "Items of requests that were let in with a key", "key", "outcome")
        self.reloads = self._counter("reloads", "Times that keys or certificates were read", "what", "outcome")
        for what in RELOADED:
            self.reloads.labels(what, "failed")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"onepeace_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"onepeace_{name}", text, labels, registry=self.registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"onepeace_{name}_seconds", text, labels, buckets=DURATION_BUCKETS, registry=self.registry)

    def key_used(self, key: str, outcome: str) -> None:
        """A key of the file was sent; see `AccessObserver`."""
        self.key_requests.labels(key, outcome).inc()

    def key_charged(self, key: str, outcome: str, items: int) -> None:
        """Items were accepted or refused; see `AccessObserver`."""
        self.key_items.labels(key, outcome).inc(items)

    def reloaded(self, what: str, outcome: str) -> None:
        """Files were read anew; see `ReloadObserver`."""
        self.reloads.labels(what, outcome).inc()

    def request_ended(self, endpoint: str, status: int, duration_s: float, stages: Stages) -> None:
        """One request was answered."""
        exemplar = {"trace_id": stages.span.trace_id} if stages.span is not None else None
        requests, duration = self._request_series(endpoint, status)
        requests.inc()
        duration.observe(duration_s, exemplar)
        self.stages_ended(stages, exemplar)
        if endpoint in PROBES:
            return
        tally = stages.tally
        self._modality_series(tally.dearest, _outcome(status)).observe(duration_s, exemplar)
        for modality, count in tally.items.items():
            self._item_series(modality).inc(count)
        for (modality, code), count in tally.failures.items():
            self.decode_failures.labels(modality, code).inc(count)

    def stages_ended(self, stages: Stages, exemplar: Exemplar | None = None) -> None:
        """The stages of a request, or of one item of a stream, are over."""
        for stage, seconds in stages.items():
            if seconds:
                self._stage_series[stage].observe(seconds, exemplar)

    def request_failed(self, error: type[ServiceError]) -> None:
        """One request ended in an error."""
        for counter in self._error_series(error.code, rejection_reason(error)):
            counter.inc()

    def stream_item_failed(self, error: type[ServiceError]) -> None:
        """One item of a stream has an error for its answer. The stream is the request, and goes on."""
        self.stream_item_errors.labels(error.code).inc()

    @functools.cache  # noqa: B019 (one Metrics lives as long as its process)
    def _error_series(self, code: str, reason: str | None) -> list[Counter]:
        return [self.errors.labels(code), *([self.rejections.labels(reason)] if reason else [])]

    @functools.cache  # noqa: B019
    def _request_series(self, endpoint: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(endpoint, str(status)), self.duration.labels(endpoint)

    @functools.cache  # noqa: B019
    def _modality_series(self, modality: str, outcome: str) -> Histogram:
        return self.modality_duration.labels(modality, outcome)

    @functools.cache  # noqa: B019
    def _item_series(self, modality: str) -> Counter:
        return self.items.labels(modality)

    def batch_ran(self, report: BatchReport) -> None:
        """One engine call ended well; see `BatchObserver`."""
        self.batch_size.labels(report.model).observe(report.rows)
        self.batch_duration.labels(report.model).observe(report.infer_s)
        self.positions.labels(report.model).inc(report.positions)
        self.padding.labels(report.model).inc(report.padding)

    def call_ended(self, model: str, outcome: str, seconds: float) -> None:
        """One attempt at a remote engine ended; see `EngineObserver`."""
        self.engine_calls.labels(model, outcome).inc()
        self.engine_call_duration.labels(model).observe(seconds)

    def call_retried(self, model: str) -> None:
        """A second attempt at a remote engine is made."""
        self.engine_retries.labels(model).inc()

    def watch_certificate(self, expires_s: Callable[[], float]) -> None:
        """Ask for the end of the certificate's validity (Unix time) whenever the metrics are read."""
        expiry = self._gauge("certificate_expiry_timestamp_seconds", "Unix time at which the TLS certificate expires")
        expiry.set_function(expires_s)

    def breaker_changed(self, address: str, model: str, state: BreakerState | None) -> None:
        """A breaker has a new state; None when its server is no longer used."""
        if state is None:
            self.breakers.remove(address, model)
        else:
            self.breakers.labels(address, model).set(state.value)

    def decode_worker_restarted(self, reason: str) -> None:
        """A decoding process was replaced; see `DecodingObserver`."""
        self.decode_worker_restarts.labels(reason).inc()

    def watch_queue(self, model: str, depth: Callable[[], int]) -> None:
        """Ask for a queue's depth whenever the metrics are read."""
        self.queue_depth.labels(model).set_function(depth)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics, with traces as exemplars, where `Accept` asks for it."""
        encoder, content_type = choose_encoder(accept)
        encode: Any = encoder
        rendered: bytes = encode(self.registry)
        return rendered, content_type


def _outcome(status: int) -> str:
    return "ok" if status < 400 else "refused" if status < 500 else "failed"
