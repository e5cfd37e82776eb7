"""EmbedStream: each item is a message, and flow control is gRPC's."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import grpc

from onepeace_client.async_stream import Pending as AsyncPending
from onepeace_client.batches import Batch
from onepeace_client.errors import OnePeaceError, ProtocolError
from onepeace_client.grpc_status import OK
from onepeace_client.grpc_transport import GrpcTransport, failed_reply, headers_of
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
        self._transport, self._state = transport, StreamCall(wire, stream)
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._call: Any = None
        self._thread: threading.Thread | None = None
        self._failure: OnePeaceError | None = None
        self._finished = False

    def submit(self, batch: Batch) -> Pending:
        """As `Lane.submit`."""
        future: Pending = Future()
        future.set_running_or_notify_cancel()  # so that nobody can cancel it, between a look at it and its result
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

    def finish(self) -> None:
        """As `Lane.finish`."""
        with self._lock:
            self._finished = True
            self._messages.put(None)

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
        if self._finished:
            messages.put(None)
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
    """Implements `AsyncLane` with `GrpcLane`'s threads.

    grpc.aio loses the status of a call that its server ends while a message is being written: INTERNAL, "Internal error
    from Core", comes in the place of it (seen in a third of such calls, grpcio 1.85).
    """

    ahead = AHEAD

    def __init__(self, transport: GrpcTransport, wire: GrpcWire, stream: Stream) -> None:
        self._lane = GrpcLane(transport, wire, stream)

    def submit(self, batch: Batch) -> AsyncPending:
        """As `AsyncLane.submit`."""
        future = asyncio.wrap_future(self._lane.submit(batch))
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # else asyncio would complain
        return future

    def finish(self) -> None:
        """As `AsyncLane.finish`."""
        self._lane.finish()

    async def close(self, unfinished: bool) -> None:
        """As `AsyncLane.close`."""
        await asyncio.to_thread(self._lane.close, unfinished)
