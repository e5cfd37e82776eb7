"""A process that decodes, as the service sees it; `worker` is what runs in it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

from service.decoding import exchange, messages
from service.decoding.ends import END_S, START_S, TemplateEnded, WorkerEnded
from service.decoding.exchange import BrokenExchange, Lengths
from service.decoding.orders import Order
from service.errors import InputError

Result = TypeVar("Result")
INLINE_COPY_BYTES = 1 << 20
"""Up to here a copy costs less than a change of threads, and holds the event loop for less than a millisecond."""
KEPT_FILE_BYTES = 4 << 20
"""What a worker's file in memory may keep between orders."""


class WorkerProcess:
    """One worker. Lives on the event loop.

    Attributes:
        ended: done when the process has ended; its exit code, minus its signal, or None when nobody knows.
        reason: what it was killed for.
    """

    def __init__(self, kill: Callable[[int], None], copies: Executor) -> None:
        self._kill, self._copies = kill, copies
        self._loop = asyncio.get_running_loop()
        self.pid = 0
        self.ended: asyncio.Future[int | None] = self._loop.create_future()
        self.reason: str | None = None
        self._hello: asyncio.Future[Lengths] = self._loop.create_future()
        self._answer: asyncio.Future[Lengths] | None = self._hello
        self._channel, self.far_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setblocking(False)
        self.file = os.memfd_create("decoding", os.MFD_CLOEXEC)
        self._loop.add_reader(self._channel, self._hear)

    async def start(self) -> None:
        """Wait until the process is confined.

        Raises:
            TemplateEnded: it ended before.
        """
        try:
            async with asyncio.timeout(START_S):
                await self._hello
        except (EOFError, ConnectionError, BrokenExchange, TimeoutError) as error:
            self.kill("start")
            raise TemplateEnded("a worker ended at its start") from error
        finally:
            self._answer = None

    async def run(self, order: Order[Result], timeout_s: float) -> Result | InputError:
        """Have an order carried out; one at a time.

        Raises:
            InputError: the order's payload is an error.
            WorkerEnded: the process ended, or was killed after `timeout_s`.
            DecoderBug: see `read_outcome`.
        """
        head, body = messages.order_message(order)
        lengths = await self._copy(len(body), exchange.write, self.file, head, body)
        try:
            answer = await self._ask(lengths, timeout_s)
            outcome = await self._copy(answer[1], exchange.read, self.file, answer)
            if max(*lengths, *answer) > KEPT_FILE_BYTES:
                os.ftruncate(self.file, 0)
            return messages.read_outcome(order, *outcome)
        except ConnectionError:
            raise await self._end(has_read=False) from None
        except EOFError:
            raise await self._end(has_read=True) from None
        except BrokenExchange:
            self.kill("crashed")
            raise await self._end(has_read=True) from None

    def kill(self, reason: str) -> None:
        """End the process at once."""
        self.reason = self.reason or reason
        if not self.ended.done():
            self._kill(self.pid)

    def close(self) -> None:
        """Let go of the process; an idle one ends by itself."""
        if self.file >= 0:
            self._loop.remove_reader(self._channel)
            self._channel.close()
            self.far_channel.close()
            os.close(self.file)
            self.file = -1

    async def _ask(self, lengths: Lengths, timeout_s: float) -> Lengths:
        """Say that an order is in the file, and wait until its outcome is.

        Raises:
            ConnectionError: the process ended and had not read the message (the kernel tells).
            EOFError: the process ended.
            BrokenExchange: it answered nonsense.
        """
        self._answer = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self.kill, "timeout")
        try:
            exchange.send(self._channel, lengths)
            return await self._answer
        finally:
            timer.cancel()
            self._answer = None

    async def _copy(self, size: int, copy: Callable[..., Any], *arguments: Any) -> Any:
        if size <= INLINE_COPY_BYTES:
            return copy(*arguments)
        return await self._loop.run_in_executor(self._copies, copy, *arguments)

    async def _end(self, has_read: bool) -> WorkerEnded:
        """Make sure that the process ends, and say how it did."""
        if not self.ended.done():
            self._kill(self.pid)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await asyncio.shield(self.ended)
        status = self.ended.result() if self.ended.done() else None
        if self.reason is None:
            is_lost = not has_read or status is None  # with its template, which would have told
            self.reason = "lost" if is_lost else "timeout" if status == -signal.SIGXCPU else "crashed"
        return WorkerEnded(has_read, self.reason, _explain(status))

    def _hear(self) -> None:
        """The worker's socket has something to read, or has ended."""
        error: Exception | None = None
        try:
            lengths = exchange.receive(self._channel)
        except BlockingIOError:
            return
        except (OSError, BrokenExchange) as failure:
            lengths, error = None, failure
        if lengths is None:
            self._loop.remove_reader(self._channel)
        if self._answer is None or self._answer.done():
            return
        if lengths is None:
            self._answer.set_exception(error or EOFError())
        else:
            self._answer.set_result(lengths)


def _explain(status: int | None) -> str:
    if status is None:
        return "an unknown end"
    return signal.Signals(-status).name if status < 0 else f"exit code {status}"
