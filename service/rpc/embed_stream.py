"""EmbedStream: any number of items over one call, a bounded number of them under way."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from service.admission import WaitingRoom
from service.batching.row_queue import Priority
from service.context import RequestContext, Stages, Tally
from service.errors import DeadlineExceeded, Draining, InvalidRequest, QueueFull, RequestTooSlow, ServiceError
from service.handlers.embed import embed, read_options
from service.rpc.answers import stream_message
from service.rpc.call import Call
from service.rpc.generated import onepeace_pb2 as pb
from service.rpc.intake import StreamPlace
from service.rpc.messages import item_value, options_value, parse
from service.rpc.stream_room import StreamRoom
from service.runtime import Runtime
from service.usecases.results import EmbedResult
from service.wire.checking import check, check_items
from service.wire.requests.embed import EmbedEnvelope, EmbedOptions

logger = logging.getLogger(__name__)
ENGINE_RETRY_S = 0.25
"""How long an item waits before it asks a remote engine again whose queue was full."""
RATE_LOOK_S = 1.0
"""A stream that waits for its key's rate looks so often whether the key file has a new one."""
TRACED_ITEMS = 64
"""Items of one stream that its trace shows, the first ones: a stream may have millions."""


class _Message:
    """One message's checked options, and what it holds until its last item is done."""

    __slots__ = ("context", "left", "wanted")

    def __init__(self, context: RequestContext, wanted: EmbedEnvelope) -> None:
        self.context, self.wanted, self.left = context, wanted, len(wanted.inputs)


class EmbedStream:
    """One stream. The reader stops while the window is full; a place in it is free again once an answer was sent."""

    def __init__(
        self, call: Call, runtime: Runtime, room: StreamRoom, stopping: asyncio.Event, place: StreamPlace
    ) -> None:
        self._call, self._runtime, self._room, self._stopping, self._place = call, runtime, room, stopping, place
        self._window = asyncio.Semaphore(runtime.settings.grpc_stream_window)
        self._sending, self._turn = asyncio.Lock(), asyncio.Lock()
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

    async def _keep_to_rate(self) -> None:
        """Wait until the key's rate allows an item more: before a message is there, which would hold room for it."""
        await asyncio.sleep(0)  # the items that were just read come to where they are charged
        caller = self._call.context.caller
        while caller is not None and (wait_s := caller.items_wait_s()):  # noqa: ASYNC110 (a rate has no event)
            await asyncio.sleep(min(wait_s, RATE_LOOK_S))

    async def _read(self, group: asyncio.TaskGroup) -> None:
        try:
            await self._keep_to_rate()
            while (data := await self._call.receive()) is not None:
                with self._place.work():
                    await self._take(data, group)
                await self._keep_to_rate()
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
                self._options = self._checked(options_value(parsed.options))
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
            group.create_task(self._work(message, place, name, self._items))
            self._items += 1

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options that are wrong end the stream, as they would a request."""
        read_options(self._runtime, check(EmbedOptions, options, strict=True, max_items=None))
        return options

    async def _work(self, message: _Message, place: int, name: str, index: int) -> None:
        with self._place.work():
            await self._answer(message, place, name, index)

    async def _answer(self, message: _Message, place: int, name: str, index: int) -> None:
        context = self._new_context(message, traced=index < TRACED_ITEMS)
        try:
            result = await self._embed(context, message.wanted, place)
        finally:
            self._runtime.admission.release(context)
        self._call.note(context.stages, result.outcomes[0])
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

    async def _embed(self, context: RequestContext, wanted: EmbedEnvelope, place: int) -> EmbedResult:
        """One item's outcome, as of a request with this item alone, its errors included."""
        value = wanted.inputs[place]
        alone = wanted.model_copy(update={"inputs": [value]})
        try:
            return await self._embed_in_time(context, alone)
        except InvalidRequest as error:  # more than the service ever has at work
            return self._failed(wanted, value, error.errors[0])
        except ServiceError as error:
            return self._failed(wanted, value, error)
        except Exception:
            logger.exception("call %s: an item failed", context.request_id)
            return self._failed(wanted, value, ServiceError("something went wrong here"))

    async def _embed_in_time(self, context: RequestContext, alone: EmbedEnvelope) -> EmbedResult:
        """The deadline counts from when the item has its place: before, only the caller's own ends the waiting."""
        limit_ms = self._runtime.settings.deadline_ms
        try:
            async with asyncio.timeout(None) as limit:

                def start_clock() -> None:
                    if limit.when() is None:
                        now = asyncio.get_running_loop().time()
                        limit.reschedule(now + limit_ms / 1000)  # ours; with the caller's, the whole call ends
                        context.stages.deadline_s = self._call.deadline_s(now)

                room = WaitingRoom(self._runtime.admission, context, self._turn, start_clock)
                while True:
                    try:
                        return await embed(self._runtime, context, alone, room, Priority.BULK)
                    except QueueFull:  # that of a remote engine
                        self._runtime.admission.release(context)
                        context.stages.tally = Tally()  # it will be counted when it comes again
                        await asyncio.sleep(ENGINE_RETRY_S)
        except TimeoutError:
            raise DeadlineExceeded(f"no answer within {limit_ms} ms", limit=limit_ms) from None

    def _failed(self, wanted: EmbedEnvelope, value: object, error: ServiceError) -> EmbedResult:
        items = check_items([value], "/inputs")
        dimensions = wanted.dimensions or self._runtime.space.dimensions
        return EmbedResult(self._runtime.source, dimensions, wanted.encoding, items, [error])

    def _new_context(self, message: _Message | None = None, *, traced: bool = False) -> RequestContext:
        """What an item or a message of the stream carries; `traced`: its steps are the call's."""
        call = self._call.context
        stages = Stages(span=call.stages.span if traced else None)
        now_s = asyncio.get_running_loop().time()
        context = RequestContext(call.request_id, {}, now_s, stages=stages, caller=call.caller)
        if message is not None:
            context.shared_bytes = message.context.held_bytes
        return context
