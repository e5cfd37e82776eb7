"""EmbedStream, with threads and on asyncio's event loop: each item is a message, and flow control is gRPC's."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import grpc

from onepeace_client.async_stream import Pending as AsyncPending
from onepeace_client.batches import Answered, Batch
from onepeace_client.errors import OnePeaceError, ProtocolError
from onepeace_client.grpc_status import OK
from onepeace_client.grpc_transport import AsyncGrpcTransport, GrpcTransport, failed_reply, headers_of
from onepeace_client.grpc_wire import GrpcWire
from onepeace_client.stream import Stream
from onepeace_client.stream_call import AHEAD, StreamCall
from onepeace_client.sync_stream import Pending
from onepeace_client.wire import Reply

END_S = 1.0  # for the server to end a stream of which all is answered


class GrpcLane:
    """Implements `Lane`. One thread reads answers, one of gRPC's writes; `_lock` holds for all that they share."""

    ahead = AHEAD

    def __init__(self, transport: GrpcTransport, wire: GrpcWire, stream: Stream) -> None:
        self._transport, self._state = transport, StreamCall[Pending](wire, stream)
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._call: Any = None
        self._thread: threading.Thread | None = None
        self._failure: OnePeaceError | None = None

    def submit(self, batch: Batch) -> Pending:
        """As `Lane.submit`."""
        future: Pending = Future()
        with self._lock:
            if not batch.contents:
                future.set_result([(batch, None)])
            elif self._failure is not None:
                future.set_exception(self._failure)
            else:
                self._messages.put(self._state.add(batch, future))
                if self._thread is None:
                    self._open()
                    self._thread = threading.Thread(target=self._run, name="onepeace-client-stream", daemon=True)
                    self._thread.start()
        return future

    def close(self, unfinished: bool) -> None:
        """As `Lane.close`."""
        with self._lock:
            self._stop.set()
            self._messages.put(None)
            call, thread = self._call, self._thread
        if thread is not None:
            thread.join(0.0 if unfinished else END_S)
        if call is not None:
            call.cancel()
        if thread is not None:
            thread.join()

    def _open(self) -> None:
        """Begin a call, with all that is unanswered; the lock is held."""
        self._messages.put(None)  # for the call before
        messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for message in self._state.begin():
            messages.put(message)
        self._messages = messages
        self._call = self._transport.stream(self._state.path, self._sent(messages))

    def _sent(self, messages: queue.SimpleQueue[bytes | None]) -> Iterator[bytes]:
        while (message := messages.get()) is not None:
            yield self._state.count_sent(message)

    def _run(self) -> None:
        try:
            while (wait_s := self._read()) is not None:
                stopped = self._stop.wait(wait_s)
                with self._lock:
                    if stopped or self._stop.is_set():
                        return
                    self._open()
        except OnePeaceError as error:
            self._fail(error)
        except Exception as error:  # whatever it is, those who wait must be told
            self._fail(ProtocolError(f"the stream broke: {error!r}"))

    def _read(self) -> float | None:
        """Read a call to its end; seconds after which to begin anew, or None: another thread may."""
        try:
            for data in self._call:
                with self._lock:
                    self._state.take(data)
            reply = Reply(OK, headers_of(self._call.trailing_metadata()), b"")
        except grpc.RpcError as error:
            reply = failed_reply(error)
        with self._lock:
            wait_s = self._state.end(reply)
            if wait_s is None:
                self._thread = None
            return wait_s

    def _fail(self, error: OnePeaceError) -> None:
        with self._lock:
            self._failure = error
            self._state.fail(error)
            self._messages.put(None)
            self._call.cancel()


class AsyncGrpcLane:
    """Implements `AsyncLane`. One task reads answers, one of gRPC's writes."""

    ahead = AHEAD

    def __init__(self, transport: AsyncGrpcTransport, wire: GrpcWire, stream: Stream) -> None:
        self._transport, self._state = transport, StreamCall[AsyncPending](wire, stream)
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._call: Any = None
        self._task: asyncio.Task[None] | None = None
        self._failure: OnePeaceError | None = None

    def submit(self, batch: Batch) -> AsyncPending:
        """As `AsyncLane.submit`."""
        future: asyncio.Future[list[Answered]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # else asyncio would complain
        if not batch.contents:
            future.set_result([(batch, None)])
        elif self._failure is not None:
            future.set_exception(self._failure)
        else:
            self._messages.put_nowait(self._state.add(batch, future))
            if self._task is None:
                self._open()
                self._task = asyncio.create_task(self._run())
        return future

    async def close(self, unfinished: bool) -> None:
        """As `AsyncLane.close`."""
        self._messages.put_nowait(None)
        task = self._task
        if task is not None:
            if not unfinished:
                await asyncio.wait([task], timeout=END_S)
            task.cancel()
            await asyncio.wait([task])
        if self._call is not None:
            self._call.cancel()

    def _open(self) -> None:
        """Begin a call, with all that is unanswered."""
        self._messages.put_nowait(None)
        messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        for message in self._state.begin():
            messages.put_nowait(message)
        self._messages = messages
        self._call = self._transport.stream(self._state.path, self._sent(messages))

    async def _sent(self, messages: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
        while (message := await messages.get()) is not None:
            yield self._state.count_sent(message)

    async def _run(self) -> None:
        try:
            while (wait_s := await self._read()) is not None:
                await asyncio.sleep(wait_s)
                self._open()
        except OnePeaceError as error:
            self._fail(error)
        except Exception as error:  # whatever it is, those who wait must be told
            self._fail(ProtocolError(f"the stream broke: {error!r}"))

    async def _read(self) -> float | None:
        """Read a call to its end; seconds after which to begin anew, or None: another task may."""
        try:
            async for data in self._call:
                self._state.take(data)
            reply = Reply(OK, headers_of(await self._call.trailing_metadata()), b"")
        except grpc.RpcError as error:
            reply = failed_reply(error)
        wait_s = self._state.end(reply)
        if wait_s is None:
            self._task = None
        return wait_s

    def _fail(self, error: OnePeaceError) -> None:
        self._failure = error
        self._state.fail(error)
        self._messages.put_nowait(None)
        self._call.cancel()
