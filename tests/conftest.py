"""The reference's embedding model as exported, and live servers with the committed small model, for many tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.golden import GOLDEN, VOCABULARY
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

EXPORTED = (
    "tests/export/test_cli.py",
    "tests/export/test_exporter.py",
    "tests/export/test_served.py",
    "tests/service/test_golden.py",
)
"""They share exports that take minutes to make."""


class Scheduling(LoadFileScheduling):
    """The tests of a file run in one process, and so do all of `EXPORTED`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "exported" if file in EXPORTED else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Used with `-n`."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: a process that begins them last would work on alone."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in EXPORTED)


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
