"""One live server with the committed small model, shared by the tests that only ask it things."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    with live_server(REPOSITORY, max_body_bytes=8 * 1024 * 1024, max_items=128) as running:
        yield running


@pytest.fixture(scope="session")
def default_server() -> Iterator[LiveServer]:
    """As `make serve` starts it."""
    with live_server(REPOSITORY) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60.0) as opened:
        yield opened
