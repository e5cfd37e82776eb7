"""The reference's embedding model as exported, and live servers with the committed small model, for many tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.golden import GOLDEN, VOCABULARY
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

EXPORTS = {"workshop", "golden_retrieval"}
"""Fixtures that take a minute: the files that share them run in one process, and begin first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `--dist loadgroup`: the tests of a file stay together."""
    exported = {item.path for item in items if isinstance(item, pytest.Function) and EXPORTS & set(item.fixturenames)}
    items.sort(key=lambda item: item.path not in exported)
    for item in items:
        group = "exports" if item.path in exported else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


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


@pytest.fixture(scope="session")
def golden_retrieval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model repository that `onepeace export` makes of the reference's embedding checkpoint. Read only."""
    repository = tmp_path_factory.mktemp("golden-retrieval") / "repository"
    command = [sys.executable, "-m", "service.cli", "export", "--bpe-dir", str(VOCABULARY), "--out", str(repository)]
    subprocess.run([*command, "--checkpoint", str(GOLDEN / "retrieval.pt")], check=True, capture_output=True)
    return repository
