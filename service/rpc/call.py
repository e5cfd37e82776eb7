"""What every call gets, in one place: an id, a clock, deadlines, the books, and its errors as a status."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc

from service.context import RequestContext, Stages
from service.correlation import request_id, valid_traceparent
from service.errors import DeadlineExceeded, Draining, MalformedBody, QueueFull, RequestTooSlow, ServiceError
from service.ledger import CLIENT_CLOSED_REQUEST
from service.rpc.errors import DETAILS_KEY, status_of
from service.rpc.intake import Intake
from service.runtime import Runtime

logger = logging.getLogger(__name__)
DEADLINE_SLACK_S = 0.1
"""A client's clock starts before ours, by the way here: who leaves so little ahead of a deadline met it."""
STOPPED = "the service stopped before the answer was ready"

Metadata = list[tuple[str, str | bytes]]
Behaviour = Callable[["Call"], Awaitable[bytes]]


def authorization_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[bytes]:
    """Every Authorization entry of a call's metadata."""
    sent = (value for key, value in metadata or () if key == "authorization")
    return [value.encode() if isinstance(value, str) else value for value in sent]


class Call:
    """One call on its way.

    Attributes:
        context: what its handler reads.
        verdict: why its task was cancelled from here; None while it was not.
        client_deadline_s: the event loop's time after which the client no longer waits.
        stages: what the trailing metadata tells as `server-timing`; of a stream the sums over its items.
    """

    __slots__ = (
        "_authorization",
        "_intake",
        "_metadata",
        "_rpc",
        "_runtime",
        "_task",
        "_timer",
        "client_deadline_s",
        "context",
        "stages",
        "verdict",
    )

    def __init__(self, rpc: Any, runtime: Runtime, intake: Intake) -> None:
        self._rpc, self._runtime, self._intake = rpc, runtime, intake
        self._task = asyncio.current_task()
        now = asyncio.get_running_loop().time()
        remaining_s = rpc.time_remaining()
        self.client_deadline_s = math.inf if remaining_s is None else now + remaining_s
        metadata = rpc.invocation_metadata() or ()
        given = {key: value for key, value in metadata if isinstance(value, str)}
        headers = {key.encode(): value.encode() for key, value in given.items()}
        self.context = RequestContext(request_id(headers.get(b"x-request-id")), headers, now)
        self._authorization = authorization_of(metadata)
        self.stages = self.context.stages
        self._metadata: Metadata = [("x-request-id", self.context.request_id)]
        traceparent = valid_traceparent(headers.get(b"traceparent"))
        if traceparent is not None:
            self._metadata.append(("traceparent", traceparent.decode()))
        self._timer: asyncio.TimerHandle | None = None
        self.verdict: ServiceError | None = None

    def admit(self, endpoint: str) -> None:
        """Let the caller in, before a message is read.

        Raises:
            Unauthenticated, Forbidden, RateLimited: see `Gate.admit`.
        """
        if self._runtime.gate is not None:
            self.context.caller = self._runtime.gate.admit(endpoint, self._authorization)

    async def read(self) -> bytes:
        """The only message of a call, within its limits; from then on the deadline counts.

        Raises:
            MalformedBody: there is none.
            QueueFull: there is no room for it.
        """
        settings, loop = self._runtime.settings, asyncio.get_running_loop()
        limit_ms = settings.read_timeout_ms
        due = self.context.started_s + limit_ms / 1000
        self.end_at(due, QueueFull("as many messages as may be are on their way", limit=self._intake.places))
        async with self._intake.message(self.end):
            self.end_at(due, RequestTooSlow(f"the message did not arrive within {limit_ms} ms", limit=limit_ms))
            data = await self.receive()
            if data is None:
                raise MalformedBody("the call holds no message")
            self._runtime.admission.check_room()
            self._runtime.admission.take(self.context, num_bytes=len(data))
        self.context.body_read_s = loop.time()
        self.context.stages.spent("read", self.context.began_s)
        self.context.stages.deadline_s = due = self.deadline_s(self.context.body_read_s)
        limit_ms = settings.deadline_ms
        late = DeadlineExceeded(f"no answer within {limit_ms} ms", limit=limit_ms)
        self.end_at(due, late if due < self.client_deadline_s else DeadlineExceeded("the caller's deadline passed"))
        return data

    async def receive(self) -> bytes | None:
        """The next message, None after the last. The transport has refused those over `max_body_bytes`."""
        data = await self._rpc.read()
        if data is grpc.aio.EOF:
            return None
        message = bytes(data)
        self.context.body_bytes += len(message)
        return message

    async def send(self, message: bytes) -> None:
        """Send one message of a stream; returns when the transport has taken it."""
        self.context.answer_bytes += len(message)
        await self._rpc.write(message)

    async def greet(self) -> None:
        """Send the initial metadata: a stream's caller learns the request's id before its end."""
        await self._rpc.send_initial_metadata(tuple(self._metadata))

    def note(self, stages: Stages, outcome: object) -> None:
        """An item of a stream has its answer: into the books, and into the stream's sums."""
        if self.stages is self.context.stages:
            self.stages = Stages()  # the books have the items' own, and would count the sums again
        self.stages.add(stages)
        self.context.stages.tally.merge(stages.tally)
        self._runtime.ledger.item_ended(stages, outcome)

    def deadline_s(self, since_s: float) -> float:
        """When what was read at `since_s` must be answered; the event loop's time."""
        return min(since_s + self._runtime.settings.deadline_ms / 1000, self.client_deadline_s)

    def end_at(self, due_s: float, verdict: ServiceError) -> None:
        """End the call with a verdict at the event loop's time `due_s`, in the place of what was set before."""
        self.stop_timer()
        self._timer = asyncio.get_running_loop().call_at(due_s, self.end, verdict)

    def stop_timer(self) -> None:
        """The call has ended, or has no deadline of its own any more."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self, verdict: ServiceError) -> None:
        """End the call with a verdict, whatever it is doing."""
        if self.verdict is None and self._task is not None:
            self.verdict = verdict
            self._task.cancel()

    def resume(self) -> None:
        """The verdict's cancellation was seen: the call goes on to tell its caller."""
        if self._task is not None:
            self._task.uncancel()

    def close_well(self) -> None:
        """The answer may go."""
        self._rpc.set_trailing_metadata(tuple(self._trailers()))

    async def close_with(self, error: ServiceError) -> None:
        """Tell the caller what was wrong; raises what ends the call."""
        status = status_of(error, self.context.request_id)
        trailers = (*self._trailers(), (DETAILS_KEY, status.details))
        await self._rpc.abort(status.code, status.message, trailers)

    def _trailers(self) -> Metadata:
        timing = self.stages.server_timing()
        return [*self._metadata, ("server-timing", timing)] if timing else self._metadata


class Calls:
    """All calls under way. Every method's behaviour is wrapped here."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._active: set[Call] = set()
        self.intake = Intake(runtime.settings)
        self.stopping = asyncio.Event()

    def stop_streams(self) -> None:
        """The service stops: streams take no more messages."""
        self.stopping.set()

    def end_unread(self) -> None:
        """Calls whose message is still on its way end: the service can't wait for slow callers."""
        for call in self._active:
            if call.context.body_read_s is None:
                call.end(Draining("the service is stopping"))

    def end_all(self) -> None:
        """The grace period is over."""
        for call in self._active:
            call.end(Draining(STOPPED))

    async def serve(self, endpoint: str, rpc: Any, behave: Behaviour) -> bytes:
        """Serve one call: its answer, b"" for a stream. Errors end it with a status."""
        call = Call(rpc, self._runtime, self.intake)
        error: ServiceError | None = None
        status = CLIENT_CLOSED_REQUEST
        self._runtime.ledger.open(call.context, endpoint)
        self._active.add(call)
        try:
            answer = await behave(call)
            status = 200
            call.context.answer_bytes += len(answer)
            call.context.stages.answered()
            call.close_well()
            return answer
        except asyncio.CancelledError:
            if call.verdict is None:  # the client left, or its deadline passed
                if asyncio.get_running_loop().time() >= call.client_deadline_s - DEADLINE_SLACK_S:
                    status = DeadlineExceeded.status
                raise
            call.resume()
            error = call.verdict
        except ServiceError as known:
            error = known.let_go()
        except grpc.aio.InternalError as gone:  # an answer can't be written: the client has left
            raise asyncio.CancelledError from gone
        except Exception:
            logger.exception("call %s failed", call.context.request_id)
            error = ServiceError("something went wrong here")
        finally:
            call.stop_timer()
            self._active.discard(call)
            self._runtime.ledger.close(call.context, endpoint, error.status if error else status, error)
        await call.close_with(error)
        return b""
