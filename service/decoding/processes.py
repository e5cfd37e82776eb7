"""The processes that decode, as the service sees them: one template, and the workers that it forks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import service
from service.decoding import exchange, messages
from service.decoding.confinement import WorkerLimits
from service.decoding.exchange import BrokenExchange, Lengths
from service.decoding.orders import Order
from service.decoding.template import MESSAGE_BYTES
from service.errors import InputError

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
COMMAND = (sys.executable, "-s", "-P", "-m", "service.decoding.template")
ENVIRONMENT = {
    "PYTHONPATH": str(Path(service.__file__).parents[1]),
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""All that a decoder gets from here: no other variables. A fork takes no threads along, so there is one. Buffers
up to 32 MiB stay with the process, 64 MiB in all (mallopt(3), and as much as glibc ever chooses by itself): it would
give them back after each file, and fetching them page by page made a 640 × 480 JPEG a third dearer."""
START_S = 60.0
"""Time for the template to load the decoders, or for one fork; a machine may be slow or busy."""
END_S = 5.0
"""Time for the kernel to take a killed process down, and for the news of it to come."""
INLINE_COPY_BYTES = 1 << 20
"""Up to here a copy costs less than a change of threads, and holds the event loop for less than a millisecond."""
KEPT_FILE_BYTES = 4 << 20
"""What a worker's file in memory may keep between orders."""


class WorkerEnded(Exception):
    """The worker has ended before it answered.

    Attributes:
        has_read: it had taken the order.
        reason: why it ended: what it was killed for, `crashed` at the order, or `lost`: before it, or nobody knows how.
        how: the same for the log.
    """

    def __init__(self, has_read: bool, reason: str, how: str) -> None:
        super().__init__(how)
        self.has_read, self.reason, self.how = has_read, reason, how


class TemplateEnded(Exception):
    """No worker can be forked: their template did not start, or has ended."""


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


class TemplateProcess:
    """Starts the template, and has it fork and kill workers. Lives on the event loop.

    Attributes:
        ended: done when the process has ended or was given up.
    """

    def __init__(self, limits: WorkerLimits, copies: Executor) -> None:
        self._limits, self._copies = limits, copies
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._forks: deque[tuple[WorkerProcess, asyncio.Future[None]]] = deque()
        self._workers: dict[int, WorkerProcess] = {}
        self._orphans: list[int] = []
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            command = [*COMMAND, str(far.fileno()), str(os.getpid())]
            self._process = subprocess.Popen(  # noqa: S603 (this very Python, and numbers)
                command,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(far.fileno(),),
            )
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._hear)

    async def start(self) -> None:
        """Wait until the decoders are loaded.

        Raises:
            TemplateEnded: they can't be.
        """
        await self._within(self._ready)

    async def fork(self) -> WorkerProcess:
        """A new worker.

        Raises:
            TemplateEnded: there can be none.
            OSError: no descriptors are left.
        """
        worker = WorkerProcess(self._kill, self._copies)
        try:
            self._send({"fork": asdict(self._limits)}, [worker.far_channel.fileno(), worker.file])
            worker.far_channel.close()  # so that the worker's end is seen
            forked: asyncio.Future[None] = self._loop.create_future()
            self._forks.append((worker, forked))
            await self._within(forked)
            await worker.start()
        except BaseException:
            worker.close()
            raise
        return worker

    async def close(self) -> None:
        """End the template and, with it, all workers."""
        self._give_up()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        self._process.wait()
        for orphan in self._orphans:  # they are this process's children now if it is the first of its container
            with suppress(ChildProcessError):
                os.waitpid(orphan, 0)

    async def _within(self, news: asyncio.Future[Result]) -> Result:
        try:
            async with asyncio.timeout(START_S):
                return await news
        except TimeoutError as error:
            self._give_up()
            raise TemplateEnded("no answer") from error

    def _send(self, message: dict[str, Any], files: list[int]) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], files)
        except OSError as error:
            self._give_up()
            raise TemplateEnded("its socket is closed") from error

    def _kill(self, pid: int) -> None:
        with suppress(TemplateEnded):  # its workers end with it
            self._send({"kill": pid}, [])
            self._loop.call_later(END_S, self._check_killed, self._workers.get(pid))

    def _check_killed(self, worker: WorkerProcess | None) -> None:
        """A template that does not do as it is told is replaced."""
        if worker is not None and not worker.ended.done():
            self._give_up()

    def _hear(self) -> None:
        """The template has sent a message, or has ended."""
        try:
            message = self._control.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._give_up()
            return
        news = json.loads(message)
        if "ready" in news:
            if not self._ready.done():  # who waited may have been cancelled
                self._ready.set_result(None)
        elif "forked" in news:
            worker, forked = self._forks.popleft()
            worker.pid = news["forked"]
            self._workers[worker.pid] = worker
            if not forked.done():
                forked.set_result(None)
        else:
            self._workers.pop(news["ended"]).ended.set_result(news["status"])

    def _give_up(self) -> None:
        """Have no template any more; the kernel ends its workers with it."""
        if self.ended.done():
            return
        self.ended.set_result(None)
        self._loop.remove_reader(self._control)
        self._control.close()
        self._process.kill()
        for waiting in (self._ready, *(forked for _, forked in self._forks)):
            if not waiting.done():
                waiting.set_exception(TemplateEnded("it has ended"))
                waiting.exception()  # somebody may wait for it no longer
        self._orphans = list(self._workers)
        for worker in self._workers.values():
            worker.ended.set_result(None)
        self._workers.clear()
