"""Every protocol with every client."""

from __future__ import annotations

import pytest

from tests.client.callers import Caller
from tests.service.live_server import LiveServer

WAYS = [(wire, is_async) for wire in ("http", "grpc") for is_async in (False, True)]
NAMES = [f"{wire}-{'async' if is_async else 'sync'}" for wire, is_async in WAYS]


def address(server: LiveServer, wire: str) -> str:
    return server.url if wire == "http" else f"grpc://{server.grpc_address}"


@pytest.fixture(params=WAYS, ids=NAMES)
def way(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """A protocol, and whether the client is asynchronous."""
    chosen: tuple[str, bool] = request.param
    return chosen


@pytest.fixture
def caller(way: tuple[str, bool], server: LiveServer) -> Caller:
    """Asks the session's server."""
    return Caller(address(server, way[0]), way[1])
