"""Runs scripts on asyncio's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from onepeace_client.errors import ClientClosed
from onepeace_client.script import Effect, Run, Script, Send, Sleep, Work
from onepeace_client.wire import Outgoing, Reply

T = TypeVar("T")


class AsyncTransport(Protocol):
    """Carries requests."""

    async def send(self, outgoing: Outgoing, timeout_s: float) -> Reply:
        """The reply, or an OnePeaceError."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class AsyncDriver:
    """Does what scripts ask for."""

    def __init__(self, transport: AsyncTransport, concurrency: int) -> None:
        self._transport, self._concurrency = transport, concurrency
        self._is_closed = False

    async def run(self, script: Script[T]) -> T:
        """Run a script to its end.

        Raises:
            ClientClosed: there are no connections any more.
        """
        if self._is_closed:
            raise ClientClosed("the client is closed")
        run = Run(script)
        while (effect := run.effect) is not None:
            try:
                value = await self._do(effect)
            except BaseException as error:  # noqa: PERF203 (each effect's error is its own)
                run.fail(error)
            else:
                run.give(value)
        return run.result

    async def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        await self._transport.close()

    async def _do(self, effect: Effect) -> Any:
        if isinstance(effect, Send):
            return await self._transport.send(effect.outgoing, effect.timeout_s)
        if isinstance(effect, Sleep):
            return await asyncio.sleep(effect.seconds)
        if isinstance(effect, Work):
            return await asyncio.to_thread(effect.work)
        return await self._spread(effect.scripts)

    async def _spread(self, scripts: Iterator[Script[Any]]) -> list[Any]:
        tasks: list[asyncio.Task[Any]] = []
        running: set[asyncio.Task[Any]] = set()
        try:
            while (script := await asyncio.to_thread(next, scripts, None)) is not None:
                tasks.append(asyncio.create_task(self.run(script)))
                running.add(tasks[-1])
                if len(running) >= self._concurrency:
                    running = await _finish_one(running)
            while running:
                running = await _finish_one(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return [task.result() for task in tasks]


async def _finish_one(running: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    done, rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return rest
