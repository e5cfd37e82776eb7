"""What a gRPC stream owes its caller: numbered messages, and which of them are unanswered. No threads here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from onepeace_client.batches import Batch
from onepeace_client.errors import OnePeaceError, Unreachable
from onepeace_client.grpc_wire import STREAM_PATH, GrpcWire
from onepeace_client.pointers import located
from onepeace_client.retries import Tries
from onepeace_client.script import Deadline
from onepeace_client.stream import Stream
from onepeace_client.sync_stream import Pending
from onepeace_client.wire import Reply

AHEAD = 64  # the server's grpc_stream_window, unless it is set otherwise


@dataclass(frozen=True, slots=True)
class _Unanswered:
    message: bytes
    batch: Batch
    future: Pending
    sent_s: float


class StreamCall:
    """One EmbedStream that outlives its connections: what was not answered is sent again over the next."""

    path = STREAM_PATH

    def __init__(self, wire: GrpcWire, stream: Stream) -> None:
        self._wire, self._stream = wire, stream
        self._unanswered: dict[int, _Unanswered] = {}
        self._count, self._tries = 0, Tries()
        self._seconds, self._sent, self._received = 0.0, 0, 0

    def add(self, batch: Batch, future: Pending) -> bytes:
        """The message of a batch, whose answer becomes the future's result."""
        message = self._wire.stream_message(self._count, batch.contents[0], self._stream.options)
        batch.contents = batch.contents[:0]  # the message has it now
        self._unanswered[self._count] = _Unanswered(message, batch, future, time.perf_counter())
        self._count += 1
        return message

    def begin(self) -> list[bytes]:
        """A new connection: what is to be sent over it first."""
        self._seconds, self._sent, self._received = 0.0, 0, 0
        return [entry.message for entry in self._unanswered.values()]

    def count_sent(self, message: bytes) -> bytes:
        """Note a message that goes out."""
        self._sent += len(message)
        return message

    def take(self, data: bytes) -> None:
        """An answer came.

        Raises:
            ProtocolError: it is none of this API.
        """
        self._received += len(data)
        number, part = self._wire.read_stream(data, self._stream.options)
        entry = self._unanswered.pop(number, None)
        self._tries = Tries()
        if entry is not None:
            self._seconds += time.perf_counter() - entry.sent_s
            entry.future.set_result([(entry.batch, located(part, entry.batch.indexes))])

    def end(self, reply: Reply) -> float | None:
        """The connection ended: seconds after which to begin anew, or None when all is answered.

        Raises:
            OnePeaceError: to begin anew would not help, or may not be.
        """
        self._record(reply.headers)
        if not self._unanswered:
            return None
        error = self._wire.failure(reply) or Unreachable("the server ended the stream before it answered all items")
        return self._stream.exchange.wait_s(error, self._tries, Deadline(None))

    def fail(self, error: OnePeaceError) -> None:
        """Give all that is unanswered the same error."""
        for entry in self._unanswered.values():
            entry.future.set_exception(error)
        self._unanswered.clear()

    def _record(self, headers: Mapping[str, str | bytes]) -> None:
        self._stream.exchange.recorder.add(
            seconds=self._seconds,
            sent=self._sent,
            received=self._received,
            timing=headers.get("server-timing"),
            again=self._tries.failed > 0,
        )
