"""Who carries orders out: the seam between the pipeline and the threads or processes that decode."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from service.decoding.orders import Order
from service.errors import InputError

Result = TypeVar("Result")


class Decoders(Protocol):
    """Carries out orders, several at once, first come, first served. Lives on one event loop."""

    async def start(self) -> None:
        """Be ready to decode.

        Raises:
            NotReady: it can't be.
        """

    def ready(self) -> bool:
        """Whether orders are carried out now."""
        ...

    def submit(self, order: Order[Result]) -> asyncio.Future[Result | InputError]:
        """The order's result, or what is wrong with its file. To cancel it is to have no need of it any more.

        Raises:
            QueueFull: too many orders wait.
            DecodersUnavailable, Draining: (the future) nobody could carry it out, which is no fault of the file.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; orders under way are given up."""


class ThreadDecoders:
    """Decodes in threads of this process. They can't be ended: a decoder that hangs keeps its thread for ever."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    async def start(self) -> None:
        """As `Decoders.start`."""

    def ready(self) -> bool:
        """As `Decoders.ready`."""
        return True

    def submit(self, order: Order[Result]) -> asyncio.Future[Result | InputError]:
        """As `Decoders.submit`."""
        return asyncio.get_running_loop().run_in_executor(self._threads, _attempt, order)

    async def close(self) -> None:
        """As `Decoders.close`; the threads are not its own."""


def _attempt(order: Order[Result]) -> Result | InputError:
    try:
        return order.run()
    except InputError as error:
        return error.with_traceback(None)  # which would keep the file
