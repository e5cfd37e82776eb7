"""The process that forks workers, as the service sees it; `template` is what runs in it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import deque
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import service
from service.decoding.confinement import WorkerLimits
from service.decoding.ends import END_S, START_S, TemplateEnded
from service.decoding.template import MESSAGE_BYTES
from service.decoding.worker_process import WorkerProcess

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
        command = [*COMMAND, str(far.fileno()), str(os.getpid())]
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this very Python, and numbers)
                command,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(far.fileno(),),
            )
        except OSError:
            self._control.close()
            raise
        finally:
            far.close()
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._hear)

    async def start(self) -> None:
        """Wait until the decoders are loaded.

        Raises:
            TemplateEnded: they can't be.
        """
        try:
            await self._within(self._ready)
        except TemplateEnded as error:
            code = await asyncio.to_thread(self._process.wait)
            raise TemplateEnded(f"{error} (exit code {code})") from error

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
            raise TemplateEnded("their template gave no answer") from error

    def _send(self, message: dict[str, Any], files: list[int]) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], files)
        except OSError as error:
            self._give_up()
            raise TemplateEnded("their template's socket is closed") from error

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
                waiting.set_exception(TemplateEnded("their template has ended"))
                waiting.exception()  # somebody may wait for it no longer
        self._orphans = list(self._workers)
        for worker in self._workers.values():
            worker.ended.set_result(None)
        self._workers.clear()
