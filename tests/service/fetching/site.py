"""A site of the public internet, as far as the fetcher can tell: a local TLS server with a certificate of its own
authority, a resolver that answers from a script, and a dialler that leads every public address to the server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpcore
import trustme

from service.fetching.fetcher import Fetcher, FetchLimits, trusting_tls
from service.fetching.policy import Allowlist

PUBLIC = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
HOST = "media.example.org"
MIB = 1024 * 1024
LIMITS = FetchLimits(max_bytes=MIB, timeout_ms=5000, max_redirects=3)
Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole response with the right Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"", f"Location: {location}", status=status)


class ScriptedResolver:
    """Answers each name from its list of answers, one for each question; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Sequence[str]]] = {HOST: [[PUBLIC]]}
        self.questions: list[str] = []

    def script(self, host: str, *answers: Sequence[str]) -> None:
        self.answers[host] = list(answers)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.questions.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def close(self) -> None:
        """Nothing to close."""


class LocalDialler:
    """Leads to the local server, whatever the address, and notes which it was."""

    def __init__(self, port: int, dead: Sequence[str] = ()) -> None:
        self._port, self._dead = port, dead
        self._backend = httpcore.AnyIOBackend()
        self.dialled: list[str] = []

    async def dial(self, address: str, port: int) -> httpcore.AsyncNetworkStream:
        self.dialled.append(address)
        if address in self._dead:
            raise ConnectionRefusedError
        return await self._backend.connect_tcp("127.0.0.1", self._port)


@dataclass
class Site:
    """Pages by path: a whole response, or a handler that writes one. `requests` holds the heads that came."""

    authority: trustme.CA
    resolver: ScriptedResolver = field(default_factory=ScriptedResolver)
    pages: dict[str, bytes | Handler] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    port: int = 0
    dialler: LocalDialler = field(init=False)

    def fetcher(self, hosts: str = HOST, limits: FetchLimits = LIMITS) -> Fetcher:
        tls = trusting_tls()
        self.authority.configure_trust(tls)
        return Fetcher(Allowlist.parse(hosts), limits, resolver=self.resolver, dialler=self.dialler, tls=tls)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            page = self.pages.get(head.split(" ")[1], answer(b"", status="404 Not Found"))
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has gone
        finally:
            writer.transport.abort()


@asynccontextmanager
async def running_site(*names: str, authority: trustme.CA | None = None) -> AsyncIterator[Site]:
    """A site whose certificate is for `names`."""
    site = Site(authority or trustme.CA())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    site.authority.issue_cert(*names or (HOST,)).configure_cert(context)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    site.dialler = LocalDialler(site.port)
    async with server:
        yield site
