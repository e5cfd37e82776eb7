"""Runs in a live server's process: leads every public address to a local TLS server.

Only the resolver and the dialler are others; allowlist, address check, TLS and limits are the service's own.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import httpcore

from service.fetching import fetcher
from tests.service.fetching.site import HOST, PUBLIC, LocalDialler

PRIVATE_HOST = "inside.example.org"


class TwoNames:
    """One name with a public address, one with a private one."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return {HOST: [PUBLIC], PRIVATE_HOST: ["169.254.169.254"]}[host]

    def close(self) -> None:
        """Nothing to close."""


class OneServer(LocalDialler):
    """Its port is set before the server starts."""

    port = 0

    def __init__(self) -> None:
        super().__init__(self.port)

    async def dial(self, address: str, port: int) -> httpcore.AsyncNetworkStream:
        assert address == PUBLIC
        return await super().dial(address, port)


def lead_to(port: int, authority_file: str) -> None:
    """Let the composition root build its fetcher from these classes."""
    OneServer.port = port
    trusted = ssl.create_default_context

    def trusting_the_test() -> ssl.SSLContext:
        context = trusted()
        context.load_verify_locations(authority_file)
        return context

    fetcher.SystemResolver = TwoNames  # type: ignore[assignment, misc]
    fetcher.SystemDialler = OneServer  # type: ignore[assignment, misc]
    fetcher.ssl.create_default_context = trusting_the_test  # type: ignore[assignment]
