"""Runs in a live server's process: leads every public address to a local TLS server.

Only the resolver and the dialler are others; allowlist, address check, TLS and limits are the service's own.
"""

from __future__ import annotations

import os
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
    fetcher.SystemResolver = TwoNames  # type: ignore[assignment, misc]
    fetcher.SystemDialler = OneServer  # type: ignore[assignment, misc]
    os.environ["SSL_CERT_FILE"] = authority_file
