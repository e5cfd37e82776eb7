"""The way to the network: a name is resolved once, every answer is checked, and a checked address is dialled."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import httpcore

from service.errors import UrlUnreachable
from service.fetching.addresses import is_public

logger = logging.getLogger(__name__)
RESOLVER_THREADS = 4
MAX_DIALS = 4
"""Addresses of one name that are tried, one after the other."""
DIAL_TIMEOUT_S = 3.0
UNREACHABLE = "the URL's host can't be reached at a public address"
"""One text for names that don't exist, private addresses and closed ports: callers must not map a network by it."""


class Resolver(Protocol):
    """From names to addresses."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The numeric addresses of a name.

        Raises:
            OSError: it has none, or nobody could say.
        """

    def close(self) -> None:
        """Let go of what it holds."""


class Dialler(Protocol):
    """From a numeric address to a connection."""

    async def dial(self, address: str, port: int) -> httpcore.AsyncNetworkStream:
        """Connect by TCP, without looking up any name.

        Raises:
            OSError, httpcore.NetworkError: nobody is there.
        """


class SystemResolver:
    """The system's resolver, in threads of its own: a name server that is silent must not hold anybody else's."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolve")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """See `Resolver`. The name is looked up as absolute, so that no search domain is tried."""
        look_up = partial(socket.getaddrinfo, f"{host}.".encode(), port, type=socket.SOCK_STREAM)
        answers = await asyncio.get_running_loop().run_in_executor(self._pool, look_up)
        return [str(address[0]) for *_, address in answers]

    def close(self) -> None:
        """Lookups under way are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class SystemDialler:
    """Sockets."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def dial(self, address: str, port: int) -> httpcore.AsyncNetworkStream:
        """See `Dialler`."""
        return await self._backend.connect_tcp(address, port)


class KnownHosts:
    """What one request has learnt of hosts: each name is looked up once, and where nobody answered nobody asks again.

    It is made anew for each request, so that no answer of a resolver outlives it.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lookups: dict[tuple[str, int], asyncio.Task[Sequence[str]]] = {}
        self._unreachable: set[tuple[str, int]] = set()

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The numeric addresses of a name. Who stops waiting does not end the lookup: others may wait for it.

        Raises:
            OSError: it has none, or nobody could say.
            UrlUnreachable: nobody answered at any of them.
        """
        if (host, port) in self._unreachable:
            raise UrlUnreachable(UNREACHABLE)
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = asyncio.create_task(self._resolver.resolve(host, port))
            lookup.add_done_callback(_notice)
            self._lookups[host, port] = lookup
        return await asyncio.shield(lookup)

    def note_unreachable(self, host: str, port: int) -> None:
        """Nobody answers there."""
        self._unreachable.add((host, port))

    def close(self) -> None:
        """The request is over: lookups that did not begin need not."""
        for lookup in self._lookups.values():
            lookup.cancel()


def _notice(lookup: asyncio.Task[Sequence[str]]) -> None:
    """Asyncio would log the error of a lookup that nobody waits for any more."""
    if not lookup.cancelled():
        lookup.exception()


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """What one connection may do on the network; TLS above it still checks the certificate against the name."""

    def __init__(self, hosts: KnownHosts, dialler: Dialler) -> None:
        self._hosts, self._dialler = hosts, dialler
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002 (httpcore's signature; the fetcher has one for all)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Called by httpcore.

        Raises:
            UrlUnreachable: the name has no address, or one that is not public, or nobody answers there.
        """
        try:
            addresses = await self._hosts.addresses(host, port)
        except OSError as error:
            raise UrlUnreachable(UNREACHABLE) from error
        if not all(map(is_public, addresses)):
            logger.debug("a fetched URL's host has an address that is not public")
            raise UrlUnreachable(UNREACHABLE)
        for address in list(dict.fromkeys(addresses))[:MAX_DIALS]:
            try:
                async with asyncio.timeout(DIAL_TIMEOUT_S):
                    self._stream = await self._dialler.dial(address, port)
                    return self._stream
            except (OSError, httpcore.NetworkError, httpcore.TimeoutException):
                continue
        self._hosts.note_unreachable(host, port)
        raise UrlUnreachable(UNREACHABLE)

    async def close(self) -> None:
        """Close the socket, also one whose handshake was interrupted, which httpcore leaves open."""
        if self._stream is not None:
            await self._stream.aclose()
