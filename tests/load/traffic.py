"""Callers over real connections: HTTP/1.1 requests as bytes, at a rate that does not wait for answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load import read_answer

CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered request. `seconds`: from sending to the last byte; `sent_s` is `time.perf_counter()`."""

    status: int
    head: bytes
    body: bytes
    sent_s: float
    seconds: float

    @property
    def closes(self) -> bool:
        """Whether the server will close the connection."""
        return b"\nconnection: close" in self.head.lower()

    @property
    def retry_after(self) -> bool:
        """Whether it says when to come again."""
        return b"\nretry-after: " in self.head.lower()


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Raises: OSError, when nobody listens."""
        return cls(*await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), CONNECT_S))

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read its answer.

        Raises:
            OSError, asyncio.IncompleteReadError: the connection ended before the answer.
        """
        sent_s = time.perf_counter()
        self.writer.write(request)
        head, body = await read_answer(self._reader)
        return Answer(int(head[9:12]), head, body, sent_s, time.perf_counter() - sent_s)

    def close(self) -> None:
        """Leave."""
        self.writer.close()


class Crowd:
    """Callers who come at a rate, whether or not the ones before them were answered."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port, self._requests = port, requests
        self._idle: list[Connection] = []
        self._asking: set[asyncio.Task[None]] = set()
        self.answers: list[Answer] = []
        self.lost = 0

    async def come(self, rate: float, seconds: float) -> float:
        """Offer `rate` requests a second; their answers may come later.

        Returns:
            requests a second that were offered: less than `rate` when this process could not make them so fast.
        """
        started = time.perf_counter()
        sent = 0
        while (passed := time.perf_counter() - started) < seconds:
            while sent < rate * passed:
                task = asyncio.create_task(self._ask(self._requests[sent % len(self._requests)]))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
                sent += 1
            await asyncio.sleep(0.001)
        return sent / (time.perf_counter() - started)

    async def leave(self) -> None:
        """Wait for all answers and go."""
        if self._asking:
            await asyncio.wait(self._asking)
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _ask(self, request: bytes) -> None:
        try:
            connection = self._idle.pop() if self._idle else await Connection.open(self._port)
            answer = await connection.ask(request)
        except (OSError, asyncio.IncompleteReadError):
            self.lost += 1
            return
        self.answers.append(answer)
        if answer.closes:
            connection.close()
        else:
            self._idle.append(connection)


def get_request(path: str) -> bytes:
    """A whole GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
