"""The books of all requests, whatever wire they came by: metrics, what they hold, and the log."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from service.admission import Admission
from service.context import RequestContext, Stages
from service.errors import ServiceError
from service.metrics import Metrics

logger = logging.getLogger(__name__)
CLIENT_CLOSED_REQUEST = 499
"""The status in metrics and logs of a request whose caller left."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every request is opened once and closed once."""

    metrics: Metrics
    admission: Admission

    def open(self) -> None:
        """A request has come."""
        self.metrics.in_flight.inc()

    def close(self, context: RequestContext, endpoint: str, status: int, error: object) -> None:
        """A request has ended, with an HTTP status (that of its error's class on other wires)."""
        self.metrics.in_flight.dec()
        self.admission.release(context)
        duration_s = asyncio.get_running_loop().time() - context.started_s
        self.metrics.request_ended(endpoint, status, duration_s, context.stages)
        self._count(error)
        if status >= 500 or logger.isEnabledFor(logging.DEBUG):
            level = logging.WARNING if status >= 500 else logging.DEBUG
            logger.log(level, "%s %s %d %.1f ms", context.request_id, endpoint, status, duration_s * 1000)

    def item_ended(self, stages: Stages, outcome: object) -> None:
        """An item of a stream has ended, well or with an error."""
        self.metrics.stages_ended(stages)
        self._count(outcome)

    def _count(self, error: object) -> None:
        if isinstance(error, ServiceError):
            self.metrics.errors.labels(error.code).inc()
