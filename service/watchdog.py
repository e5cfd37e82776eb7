"""Ends a request that takes too long or whose caller has gone. One timer, set once, for the many that are quick."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

from service.body_progress import WINDOW_S, BodyProgress
from service.context import RequestContext
from service.errors import DeadlineExceeded, RequestTooSlow, ServiceError
from service.settings import Settings

LOOK_AFTER_S = 0.1
"""A request that takes longer is watched: its caller may go away. For shorter ones that isn't worth a task."""


class Watchdog:
    """Watches one request and cancels its task.

    Attributes:
        verdict: why the task was cancelled, for the answer; None while it was not, or when the caller left.
        caller_left: the task was cancelled because nobody waits for its answer.
    """

    __slots__ = (
        "_context",
        "_interval_s",
        "_is_over",
        "_progress",
        "_receive",
        "_settings",
        "_task",
        "_timer",
        "_watcher",
        "caller_left",
        "verdict",
    )

    def __init__(self, context: RequestContext, task: asyncio.Task[None], receive: Receive, settings: Settings) -> None:
        self._context, self._task, self._receive, self._settings = context, task, receive, settings
        self._watcher: asyncio.Task[None] | None = None
        self._is_over = False
        self._progress = BodyProgress(context.started_s, settings.read_timeout_ms / 1000)
        self.verdict: ServiceError | None = None
        self.caller_left = False
        # No longer than the deadline, so that one look falls between the end of the body and its deadline.
        self._interval_s = min(LOOK_AFTER_S, settings.deadline_ms / 1000, settings.read_timeout_ms / 1000)
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._look)

    @property
    def ended_it(self) -> bool:
        """Whether the task was cancelled from here."""
        return self.verdict is not None or self.caller_left

    def end_unread(self, verdict: ServiceError) -> None:
        """End the request with a verdict if its body has not arrived yet."""
        if self._context.body_read_s is None and not self.ended_it and not self._is_over:
            self._end(verdict)

    def stop(self) -> None:
        """The answer is on its way, or the task has ended."""
        self._is_over = True
        self._timer.cancel()
        watcher, self._watcher = self._watcher, None  # its CancelledError knows its frame, which knows this object
        if watcher is not None:
            watcher.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        body_read_s = self._context.body_read_s
        error: type[ServiceError]
        if body_read_s is None:
            limit_ms, since, error = self._settings.read_timeout_ms, self._context.started_s, RequestTooSlow
        else:
            limit_ms, since, error = self._settings.deadline_ms, body_read_s, DeadlineExceeded
            if self._watcher is None:
                self._watcher = loop.create_task(self._watch_caller())
        due = since + limit_ms / 1000
        now = loop.time()
        if now >= due:
            what = "the body did not arrive" if body_read_s is None else "no answer"
            self._end(error(f"{what} within {limit_ms} ms", limit=limit_ms))
        elif body_read_s is None and self._progress.has_halted(now, self._context.body_bytes):
            least = self._progress.least_bytes
            detail = f"the body came to a halt: it must go on at {least} bytes in {WINDOW_S:.0f} s"
            self._end(RequestTooSlow(detail, limit=least))
        else:
            self._timer = loop.call_at(due if body_read_s is not None else min(due, now + self._interval_s), self._look)

    def _end(self, verdict: ServiceError) -> None:
        self.verdict = verdict
        self._task.cancel()

    async def _watch_caller(self) -> None:
        # The body is read, so the next message can only be that the caller has gone.
        await self._receive()
        self.caller_left = True
        self._task.cancel()
