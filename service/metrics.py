"""Prometheus metrics, in a registry of their own. Only the middleware and the batcher report here."""

from __future__ import annotations

import functools
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service import __version__
from service.batching.batcher import BatchReport
from service.context import Stages
from service.engine.observer import BreakerState

DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """All series of the service. Label values are bounded: endpoints, models, stages, statuses and error codes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("onepeace_requests", "Requests answered", ["endpoint", "status"], registry=own)
        self.duration = Histogram(
            "onepeace_request_duration_seconds",
            "Seconds from the first byte to the answer",
            ["endpoint"],
            buckets=DURATION_BUCKETS,
            registry=own,
        )
        self.stages = Histogram(
            "onepeace_stage_duration_seconds",
            "Seconds of a request in each stage",
            ["stage"],
            buckets=DURATION_BUCKETS,
            registry=own,
        )
        self.in_flight = Gauge("onepeace_requests_in_flight", "Requests being worked on", registry=own)
        self.errors = Counter(
            "onepeace_errors", "Requests that ended in a problem, by its code", ["code"], registry=own
        )
        self.batch_size = Histogram(
            "onepeace_batch_size", "Rows of each engine call", ["model"], buckets=BATCH_BUCKETS, registry=own
        )
        self.batch_duration = Histogram(
            "onepeace_batch_duration_seconds",
            "Seconds of each engine call",
            ["model"],
            buckets=DURATION_BUCKETS,
            registry=own,
        )
        self.positions = Counter(
            "onepeace_positions", "Token ids or samples computed, padding included", ["model"], registry=own
        )
        self.padding = Counter("onepeace_padding_positions", "The padding among them", ["model"], registry=own)
        self.queue_depth = Gauge("onepeace_queue_depth", "Rows that wait for an engine slot", ["model"], registry=own)
        self._add_engine_series()
        self.ready = Gauge("onepeace_ready", "1 while /health/ready answers 200", registry=own)
        build = Gauge("onepeace_build_info", "The running version", ["version"], registry=own)
        build.labels(__version__).set(1)
        self._stage_series = {stage: self.stages.labels(stage) for stage, _ in Stages().items()}

    def _add_engine_series(self) -> None:
        """What only a remote engine reports."""
        own = self.registry
        self.engine_calls = Counter(
            "onepeace_engine_calls", "Attempts at a remote engine", ["model", "outcome"], registry=own
        )
        self.engine_call_duration = Histogram(
            "onepeace_engine_call_duration_seconds",
            "Seconds of each attempt at a remote engine",
            ["model"],
            buckets=DURATION_BUCKETS,
            registry=own,
        )
        self.engine_retries = Counter(
            "onepeace_engine_retries", "Second attempts at a remote engine", ["model"], registry=own
        )
        self.breakers = Gauge(
            "onepeace_engine_breaker_state",
            "Breaker of a model on a server: 0 closed, 1 half open, 2 open",
            ["address", "model"],
            registry=own,
        )

    def request_ended(self, endpoint: str, status: int, duration_s: float, stages: Stages) -> None:
        """One request was answered."""
        requests, duration = self._request_series(endpoint, status)
        requests.inc()
        duration.observe(duration_s)
        self.stages_ended(stages)

    def stages_ended(self, stages: Stages) -> None:
        """A request, or an item of a stream, has been through its stages."""
        for stage, seconds in stages.items():
            if seconds:
                self._stage_series[stage].observe(seconds)

    @functools.cache  # noqa: B019 (one Metrics lives as long as its process)
    def _request_series(self, endpoint: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(endpoint, str(status)), self.duration.labels(endpoint)

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

    def breaker_changed(self, address: str, model: str, state: BreakerState | None) -> None:
        """A breaker has a new state; None when its server is no longer used."""
        if state is None:
            self.breakers.remove(address, model)
        else:
            self.breakers.labels(address, model).set(state.value)

    def watch_queue(self, model: str, depth: Callable[[], int]) -> None:
        """Ask for a queue's depth whenever the metrics are read."""
        self.queue_depth.labels(model).set_function(depth)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
