"""The watchdog over a fake clockwork: a task that never ends by itself."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from service.context import RequestContext
from service.errors import DeadlineExceeded, RequestTooSlow
from service.settings import load_settings
from service.watchdog import LOOK_AFTER_S, Watchdog


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def left() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def watched(
    deadline_ms: int, read_timeout_ms: int, *, body_after_s: float | None, receive: Any
) -> tuple[Watchdog, float]:
    """Run an endless task under a watchdog; the watchdog and the seconds until it was cancelled."""
    loop = asyncio.get_running_loop()
    context = RequestContext("id", {}, loop.time())
    settings = load_settings({"deadline_ms": deadline_ms, "read_timeout_ms": read_timeout_ms})
    task: asyncio.Task[Any] = asyncio.create_task(never())
    watchdog = Watchdog(context, task, receive, settings)
    if body_after_s is not None:
        loop.call_later(body_after_s, lambda: setattr(context, "body_read_s", loop.time()))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    watchdog.stop()
    return watchdog, loop.time() - context.started_s


@pytest.mark.parametrize("deadline_ms", [1, 30, 150])
async def test_the_deadline_counts_from_the_end_of_the_body(deadline_ms: int) -> None:
    watchdog, elapsed_s = await watched(deadline_ms, 60_000, body_after_s=0.05, receive=never)
    assert isinstance(watchdog.verdict, DeadlineExceeded)
    assert watchdog.verdict.limit == deadline_ms
    # Never early; late only by what a busy machine takes to wake up.
    assert 0 <= elapsed_s - 0.05 - deadline_ms / 1000 < 0.5


async def test_a_body_that_does_not_come_ends_the_request() -> None:
    watchdog, elapsed_s = await watched(30_000, 120, body_after_s=None, receive=never)
    assert isinstance(watchdog.verdict, RequestTooSlow)
    assert 0.12 <= elapsed_s < 1.0


async def test_a_caller_who_leaves_ends_the_request_without_a_verdict() -> None:
    watchdog, _ = await watched(30_000, 60_000, body_after_s=0.0, receive=left)
    assert watchdog.caller_left
    assert watchdog.ended_it
    assert watchdog.verdict is None


async def test_a_quick_request_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    context = RequestContext("id", {}, loop.time(), body_read_s=loop.time())
    task = asyncio.create_task(asyncio.sleep(0.01))
    watchdog = Watchdog(context, task, never, load_settings({"deadline_ms": 40}))
    await task
    watchdog.stop()
    await asyncio.sleep(0.06)
    assert not watchdog.ended_it


async def test_a_watch_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    gc.disable()
    try:
        loop = asyncio.get_running_loop()
        context = RequestContext("id", {}, loop.time(), body_read_s=loop.time())
        task = asyncio.create_task(never())
        watchdog = Watchdog(context, task, never, load_settings({}))
        await asyncio.sleep(2 * LOOK_AFTER_S)  # it watches the caller now
        watchdog.stop()
        task.cancel()
        await asyncio.wait([task])
        rest = weakref.ref(task)
        del watchdog, context, task
        await asyncio.sleep(0)  # for the watcher to end
        assert rest() is None
    finally:
        gc.enable()
