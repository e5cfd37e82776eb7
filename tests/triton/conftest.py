"""One Triton with all models for the tests that only ask it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from export.triton.python_variant import write_python_variant
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.triton.wheel_server import WheelServer, needs_wheel, wheel_server


@pytest.fixture(scope="session")
def python_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed models for Triton's Python backend, one thread for each call. Read only."""
    folder = tmp_path_factory.mktemp("triton") / "repository"
    write_python_variant(REPOSITORY, folder, threads=1)
    return folder


@pytest.fixture(scope="session")
def two_models(python_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`text` and `image` of it: enough for faults, and loaded sooner. Read only."""
    folder = tmp_path_factory.mktemp("two") / "repository"
    for name in ("text", "image"):
        shutil.copytree(python_repository / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def triton(python_repository: Path) -> Iterator[WheelServer]:
    needs_wheel()
    with wheel_server(python_repository) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(triton: WheelServer) -> Iterator[LiveServer]:
    """A gateway in front of Triton."""
    with live_server(REPOSITORY, engine="triton", triton_url=triton.url) as running:
        yield running


@pytest.fixture(scope="session")
def through_triton(gateway: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=60.0) as opened:
        yield opened
