"""Carries requests over HTTP; decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from onepeace_client.errors import DeadlineExceeded, NotConnected, OnePeaceError, ProtocolError, Unreachable
from onepeace_client.front import Options
from onepeace_client.wire import Outgoing, Reply

PLAIN = {"accept-encoding": "identity"}  # vectors hardly shrink, and squeezing them would cost the server time
POOL = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=30.0)


class HttpTransport:
    """Connections of one client, kept open between requests; any number of threads may use them."""

    def __init__(self, url: str, options: Options) -> None:
        self._client = httpx.Client(base_url=url, limits=POOL, **_settings(options))

    def send(self, outgoing: Outgoing, timeout_s: float) -> Reply:
        """The reply.

        Raises:
            DeadlineExceeded, Unreachable, ProtocolError.
        """
        end_s = time.monotonic() + timeout_s
        request = _request(self._client, outgoing, timeout_s)
        with _mapped_errors(timeout_s):
            response = self._client.send(request, stream=True)
            try:
                body = bytearray()
                for chunk in response.iter_bytes():  # httpx bounds each read; this bounds them together
                    body += chunk
                    if time.monotonic() > end_s:
                        raise _late(timeout_s)
            finally:
                response.close()
        return _reply(response, bytes(body))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class AsyncHttpTransport:
    """Connections of one client, kept open between requests, in one event loop."""

    def __init__(self, url: str, options: Options) -> None:
        self._client = httpx.AsyncClient(base_url=url, limits=POOL, **_settings(options))

    async def send(self, outgoing: Outgoing, timeout_s: float) -> Reply:
        """The reply.

        Raises:
            DeadlineExceeded, Unreachable, ProtocolError.
        """
        with _mapped_errors(timeout_s):
            request = _request(self._client, outgoing, timeout_s)
            response = await asyncio.wait_for(self._client.send(request), timeout_s)
        return _reply(response, response.content)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _settings(options: Options) -> dict[str, Any]:
    headers = {**PLAIN, **options.all_headers()}
    return {"headers": headers, "verify": True if options.tls is None else options.tls.context()}


def _request(client: httpx.Client | httpx.AsyncClient, outgoing: Outgoing, timeout_s: float) -> httpx.Request:
    return client.build_request(
        outgoing.method,
        outgoing.path,
        content=outgoing.body or None,
        headers=dict(outgoing.headers),
        timeout=httpx.Timeout(timeout_s),
    )


def _reply(response: httpx.Response, body: bytes) -> Reply:
    return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


@contextmanager
def _mapped_errors(timeout_s: float) -> Iterator[None]:
    """The errors of httpx as ours, in the order of their classes: the finer first."""
    try:
        yield
    except OnePeaceError:
        raise
    except (httpx.ConnectTimeout, httpx.ConnectError) as error:
        raise NotConnected(f"no connection to the server: {error or type(error).__name__}") from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise Unreachable(f"the connection to the server broke: {error or type(error).__name__}") from error
    except (httpx.TimeoutException, asyncio.TimeoutError) as error:
        raise _late(timeout_s) from error
    except httpx.HTTPError as error:
        raise ProtocolError(f"no HTTP: {error}") from error


def _late(timeout_s: float) -> DeadlineExceeded:
    return DeadlineExceeded(f"no answer within {timeout_s:.3g} s")
