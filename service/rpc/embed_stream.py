"""EmbedStream: any number of items over one call, a bounded number of them under way."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from service.context import RequestContext, Stages, Tally
from service.errors import DeadlineExceeded, Draining, QueueFull, RateLimited, RequestTooSlow, ServiceError
from service.handlers.embed import embed
from service.handlers.results import EmbedResult
from service.rpc.answers import stream_message
from service.rpc.call import Call
from service.rpc.generated import onepeace_pb2 as pb
from service.rpc.messages import item_value, options_value, parse
from service.runtime import Runtime
from service.wire.checking import check, check_items
from service.wire.schemas import EmbedEnvelope

logger = logging.getLogger(__name__)
RETRY_S = 0.005
"""How long the first of a stream's waiting items waits before it asks again for a place in the queue."""
TRACED_ITEMS = 64
"""Items of one stream that its trace shows, the first ones: a stream may have millions."""


class StreamRoom:
    """Bytes of the messages that all streams together hold: at most half of `max_pending_bytes`.

    The other half is there for what items decode to, and for other callers: streams that fill the whole would wait
    for each other for ever.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._admission, self._budget, self._held = runtime.admission, runtime.settings.max_pending_bytes // 2, 0

    async def take(self, context: RequestContext, size: int) -> None:
        """Wait until there is room for a message, and hold it."""
        size = min(size, self._budget)
        while not self._took(context, size):  # noqa: ASYNC110 (nothing says when other requests give back theirs)
            await asyncio.sleep(RETRY_S)

    def _took(self, context: RequestContext, size: int) -> bool:
        if self._held + size > self._budget:
            return False
        try:
            self._admission.take_bytes(context, size)
        except QueueFull:
            return False
        self._held += size
        return True

    def give_back(self, context: RequestContext) -> None:
        """The message's items are done, or given up."""
        self._held -= context.held_bytes
        self._admission.release(context)


class _Message:
    """One message's checked options, and what it holds until its last item is done."""

    __slots__ = ("context", "left", "wanted")

    def __init__(self, context: RequestContext, wanted: EmbedEnvelope) -> None:
        self.context, self.wanted, self.left = context, wanted, len(wanted.inputs)


class EmbedStream:
    """One stream. The reader stops while the window is full; a place in it is free again once an answer was sent."""

    def __init__(self, call: Call, runtime: Runtime, room: StreamRoom, stopping: asyncio.Event) -> None:
        self._call, self._runtime, self._room, self._stopping = call, runtime, room, stopping
        self._window = asyncio.Semaphore(runtime.settings.grpc_stream_window)
        self._sending, self._waiting = asyncio.Lock(), asyncio.Lock()
        self._messages: set[_Message] = set()
        self._options: dict[str, Any] = {}
        self._items = 0
        self._error: ServiceError | None = None

    async def run(self) -> None:
        """Answer every item that was read.

        Raises:
            ServiceError: a message as a whole is wrong, answers aren't taken, or the service stops.
        """
        self._runtime.require_start()
        self._call.context.body_read_s = self._call.context.started_s  # nothing is read that a stop would have to end
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(group))
                stop = group.create_task(self._stop_at_the_end(reader))
                reader.add_done_callback(lambda _: stop.cancel())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            for message in self._messages:
                self._room.give_back(message.context)
        if self._error is not None:
            raise self._error

    async def _stop_at_the_end(self, reader: asyncio.Task[None]) -> None:
        await self._stopping.wait()
        self._error = Draining("the service is stopping: send what was not answered to another")
        reader.cancel()

    async def _read(self, group: asyncio.TaskGroup) -> None:
        try:
            while (data := await self._call.receive()) is not None:
                await self._take(data, group)
        except ServiceError as error:  # what was read before is still answered
            self._error = error

    async def _take(self, data: bytes, group: asyncio.TaskGroup) -> None:
        context = self._new_context()
        await self._room.take(context, len(data))
        message: _Message | None = None
        try:
            parsed = parse(data, pb.EmbedStreamRequest)
            del data
            if parsed.HasField("options"):
                self._options = options_value(parsed.options)
            if not parsed.items:
                return
            names = [entry.id for entry in parsed.items]
            values = {"inputs": [item_value(entry.item) for entry in parsed.items]}
            wanted = check(
                EmbedEnvelope,
                values | self._options | {"on_error": "report"},
                strict=True,
                max_items=self._runtime.settings.max_items,
            )
            message = _Message(context, wanted)
            self._messages.add(message)
        finally:
            if message is None:
                self._room.give_back(context)
        for place, name in enumerate(names):
            await self._window.acquire()
            group.create_task(self._answer(message, place, name, self._items))
            self._items += 1

    async def _answer(self, message: _Message, place: int, name: str, index: int) -> None:
        result = await self._embed(message.wanted, place, traced=index < TRACED_ITEMS)
        message.wanted.inputs[place] = None  # its bytes are no longer needed
        message.left -= 1
        if not message.left:
            self._messages.discard(message)
            self._room.give_back(message.context)
        limit_ms = self._runtime.settings.read_timeout_ms
        try:
            async with self._sending, asyncio.timeout(limit_ms / 1000):
                await self._call.send(stream_message(result, name, index).SerializeToString())
        except TimeoutError:
            raise RequestTooSlow(f"no answer was taken within {limit_ms} ms", limit=limit_ms) from None
        self._window.release()

    async def _embed(self, wanted: EmbedEnvelope, place: int, *, traced: bool) -> EmbedResult:
        """One item's outcome, as of a request with this item alone."""
        value = wanted.inputs[place]
        alone = wanted.model_copy(update={"inputs": [value]})
        while True:
            context = self._new_context(traced=traced)
            context.stages.deadline_s = self._call.deadline_s(context.started_s)
            try:
                # Ours alone: when the caller's passes, the whole call ends.
                async with asyncio.timeout(self._runtime.settings.deadline_ms / 1000):
                    return await embed(self._runtime, context, alone)
            except QueueFull:
                context.stages.tally = Tally()  # it will be counted when it comes again
                async with self._waiting:
                    await asyncio.sleep(RETRY_S)
            except RateLimited as error:
                async with self._waiting:
                    await asyncio.sleep(error.wait_s)
            except TimeoutError:
                limit_ms = self._runtime.settings.deadline_ms
                return self._failed(wanted, value, DeadlineExceeded(f"no answer within {limit_ms} ms", limit=limit_ms))
            except ServiceError as error:
                return self._failed(wanted, value, error)
            except Exception:
                logger.exception("call %s: an item failed", context.request_id)
                return self._failed(wanted, value, ServiceError("something went wrong here"))
            finally:
                self._runtime.admission.release(context)
                self._runtime.metrics.stages_ended(context.stages)
                self._call.context.stages.tally.merge(context.stages.tally)

    def _failed(self, wanted: EmbedEnvelope, value: object, error: ServiceError) -> EmbedResult:
        items = check_items([value], "/inputs")
        dimensions = wanted.dimensions or self._runtime.embedder.dimensions
        return EmbedResult(self._runtime.space, dimensions, wanted.encoding, items, [error])

    def _new_context(self, *, traced: bool = False) -> RequestContext:
        """What an item or a message of the stream carries; `traced`: its steps are the call's."""
        call = self._call.context
        now_s = asyncio.get_running_loop().time()
        span = call.stages.span if traced else None
        return RequestContext(call.request_id, {}, now_s, stages=Stages(span=span), caller=call.caller)
