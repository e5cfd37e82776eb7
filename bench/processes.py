"""The real programs, each in a process of its own on given cores."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.triton.wheel import Ports, server_command, start_server

START_S = 60.0


def pinned(command: list[str], cores: set[int]) -> subprocess.Popen[str]:
    """Start a process on some cores."""
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )


@contextmanager
def server(repository: Path, cores: set[int], *flags: str) -> Iterator[int]:
    """The real server on some cores; gives its port once it is ready."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port), "--grpc-port", "0", "--drain-s", "0"]
    process = pinned([*command, "--model-repository", str(repository), "--log-level", "error", *flags], cores)
    with _serving(process, f"http://127.0.0.1:{port}/health/ready"):
        yield port


@contextmanager
def triton(repository: Path, folder: Path, cores: set[int]) -> Iterator[tuple[int, int]]:
    """The wheel's Triton on a repository for its Python backend; gives its ports of gRPC and of metrics.

    `folder` is for its links.
    """
    ports = Ports(*free_ports(3))
    process = start_server([*server_command(repository, folder, ports), "--log-info=false"], cores=cores)
    with _serving(process, f"http://127.0.0.1:{ports.http}/v2/health/ready"):
        yield ports.grpc, ports.metrics


@contextmanager
def running(command: list[str], url: str) -> Iterator[None]:
    """Any program, from the moment when `url` answers."""
    with _serving(subprocess.Popen(command), url):
        yield


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def _serving(process: subprocess.Popen[Any], url: str) -> Iterator[None]:
    """From the moment when `url` answers; the process is ended afterwards, whatever happens."""
    try:
        _wait(process, url)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[Any], url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"{process.args!r} ended with code {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    sys.exit(f"{url} did not get ready")
