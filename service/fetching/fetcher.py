"""Fetches a file by URL within limits: every redirect is checked anew, every byte counted as it comes."""

from __future__ import annotations

import asyncio
import io
import math
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import urljoin

import certifi
import httpcore

from service import __version__
from service.errors import DeadlineExceeded, UrlNotAllowed, UrlUnreachable
from service.fetching.network import Dialler, KnownHosts, PublicNetwork, Resolver, SystemDialler, SystemResolver
from service.fetching.policy import HTTPS_PORT, Allowlist, Target
from service.settings import Settings

CONCURRENT_FETCHES = 16
CHUNKS_IN_A_ROW = 64
"""After so many chunks others get the event loop: a body may come in chunks of one byte."""
OK = 200
REDIRECTS = (301, 302, 303, 307, 308)
HEADERS = (
    (b"Accept", b"image/*, audio/*"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
    (b"User-Agent", f"onepeace-server/{__version__}".encode()),
)
NETWORK_ERRORS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch may cost, redirects included. Pixels and seconds are bounded by the decoders, as of any file."""

    max_bytes: int
    timeout_ms: int
    max_redirects: int


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One fetch on its way: where it is to go next, what is known of hosts, and who is told of its bytes."""

    target: Target
    hosts: KnownHosts
    account: Callable[[int], None]


class Fetcher:
    """Fetches from the hosts of an allowlist, at public addresses, over TLS.

    The environment has no say, but for the authorities of `trusting_tls`: no proxies, no netrc, no cookies. No
    connection is used twice, so that no answer of a resolver outlives its request.
    """

    def __init__(
        self, allowlist: Allowlist, limits: FetchLimits, *, resolver: Resolver, dialler: Dialler, tls: ssl.SSLContext
    ) -> None:
        self._allowlist, self._limits = allowlist, limits
        self._resolver, self._dialler, self._tls = resolver, dialler, tls
        self._slots = asyncio.Semaphore(CONCURRENT_FETCHES)
        self.max_file_bytes = limits.max_bytes

    def known_hosts(self) -> KnownHosts:
        """For the fetches of one request, which look up each name once."""
        return KnownHosts(self._resolver)

    async def fetch(
        self,
        url: str,
        hosts: KnownHosts | None = None,
        *,
        deadline_s: float = math.inf,
        account: Callable[[int], None] = lambda _: None,
    ) -> bytes:
        """The file behind a URL. Its content type is not believed: the decoders look at the content.

        Args:
            url: as the caller sent it.
            hosts: what fetches of the same request share.
            deadline_s: the event loop's time after which nobody waits for the file.
            account: told of each chunk's bytes before it is kept; what it raises ends the fetch.

        Raises:
            UrlNotAllowed: the URL, or one that it redirects to, is not https, not in the allowlist, or malformed.
            UrlUnreachable: no public address, no valid certificate, no status 200, too large, too slow, cut off.
            DeadlineExceeded: `deadline_s` passed.
        """
        fetch = _Fetch(self._allowlist.target(url), hosts or self.known_hosts(), account)
        try:
            async with asyncio.timeout_at(deadline_s if math.isfinite(deadline_s) else None), self._slots:
                return await self._fetch_in_time(fetch)
        except TimeoutError as error:
            raise DeadlineExceeded("the deadline passed while a URL was fetched") from error

    async def close(self) -> None:
        """Let go of the resolver's threads."""
        self._resolver.close()

    async def _fetch_in_time(self, fetch: _Fetch) -> bytes:
        limit = self._limits.timeout_ms
        try:
            async with asyncio.timeout(limit / 1000):
                return await self._follow(fetch)
        except TimeoutError as error:
            raise UrlUnreachable(f"the URL's file did not arrive within {limit} ms", limit=limit) from error

    async def _follow(self, fetch: _Fetch) -> bytes:
        for _ in range(self._limits.max_redirects + 1):
            found = await self._get(fetch)
            if isinstance(found, bytes):
                return found
            try:
                fetch = replace(fetch, target=self._allowlist.target(found))
            except UrlNotAllowed as error:
                raise UrlNotAllowed(f"a redirect is not followed: {error.detail}") from error
        limit = self._limits.max_redirects
        raise UrlUnreachable(f"the URL redirects more than {limit} times", limit=limit)

    async def _get(self, fetch: _Fetch) -> bytes | str:
        """The file, or the URL that the host sends us to."""
        target = fetch.target
        host, path = target.host.encode(), target.path.encode()
        network = PublicNetwork(fetch.hosts, self._dialler)
        origin = httpcore.Origin(b"https", host, target.port)
        connection = httpcore.AsyncHTTPConnection(origin, self._tls, network_backend=network)
        named = host if target.port == HTTPS_PORT else b"%s:%d" % (host, target.port)
        url = httpcore.URL(scheme=b"https", host=host, port=target.port, target=path)
        request = httpcore.Request(b"GET", url, headers=[(b"Host", named), *HEADERS])
        try:
            response = await connection.handle_async_request(request)
            return await self._read(response, target, fetch.account)
        except NETWORK_ERRORS as error:
            raise UrlUnreachable(_explain(error)) from error
        finally:
            await network.close()

    async def _read(self, response: httpcore.Response, target: Target, account: Callable[[int], None]) -> bytes | str:
        headers = {name.lower(): value for name, value in response.headers}
        if response.status in REDIRECTS:
            return _redirect(target, headers.get(b"location", b""))
        if response.status != OK:
            raise UrlUnreachable(f"the URL's host answered with status {response.status}")
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise UrlUnreachable("the URL's host sent a compressed body, which was not asked for")
        declared = headers.get(b"content-length", b"")
        if declared.isdigit():
            size = int(declared[:20])
            self._check_size(size, actual=size)
        file = io.BytesIO()
        chunks = 0
        stream = cast(AsyncGenerator[bytes], response.aiter_stream())
        async with aclosing(stream) as body:
            async for chunk in body:
                self._check_size(file.tell() + len(chunk))
                account(len(chunk))
                file.write(chunk)
                chunks += 1
                if chunks % CHUNKS_IN_A_ROW == 0:
                    await asyncio.sleep(0)
        return file.getvalue()

    def _check_size(self, size: int, *, actual: int | None = None) -> None:
        limit = self._limits.max_bytes
        if size > limit:
            raise UrlUnreachable("the URL's file is too large", limit=limit, actual=actual)


def build_fetcher(settings: Settings) -> Fetcher | None:
    """The fetcher that the settings ask for; None when URLs are not fetched."""
    if settings.url_fetch == "off":
        return None
    limits = FetchLimits(settings.url_max_bytes, settings.url_timeout_ms, settings.url_max_redirects)
    allowlist = Allowlist.parse(settings.url_hosts)
    return Fetcher(allowlist, limits, resolver=SystemResolver(), dialler=SystemDialler(), tls=trusting_tls())


def trusting_tls() -> ssl.SSLContext:
    """TLS that asks for a certificate valid for the host, from one of the system's authorities or certifi's.

    OpenSSL looks for the system's where `SSL_CERT_FILE` and `SSL_CERT_DIR` say, if they are set: an operator's own
    authority goes there. Not `ssl.create_default_context`, which writes the keys of all connections into the file that
    `SSLKEYLOGFILE` names.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    tls.load_default_certs()
    tls.load_verify_locations(certifi.where())
    return tls


def _redirect(target: Target, location: bytes) -> str:
    try:
        if location:
            return urljoin(target.url, location.decode())
    except ValueError:
        pass
    raise UrlUnreachable("the URL's host redirects to nowhere")


def _explain(error: Exception) -> str:
    if isinstance(error.__cause__, ssl.SSLError):
        return "the URL's host has no certificate that is valid for it"
    return "the connection to the URL's host broke"
