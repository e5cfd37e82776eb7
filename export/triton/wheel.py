"""The Triton server that PyPI's wheel `nvidia-pytriton` carries: started on a model repository, without Docker.

The wheel has the server and the Python backend. As installed, the server does not find the backend's stub (the
process that runs Python code): it gets a backend folder of links that has both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

STUB = "triton_python_backend_stub"
ENVIRONMENT = Path(sys.prefix) / "triton"
"""A virtual environment for Triton and its stub, which `make triton` makes: the stub reads arrays of NumPy 2 wrongly
(seen on 2.51), so it has NumPy 1 there, and ONNX Runtime."""


class WheelError(Exception):
    """The wheel is not installed, or has no server for this Python."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens, on loopback."""

    grpc: int
    http: int
    metrics: int


def server_folder() -> Path:
    """The folder `tritonserver` in the installed wheel.

    Raises:
        WheelError: it is not installed.
    """
    for folder in ENVIRONMENT.glob("lib/python*/site-packages/pytriton/tritonserver"):
        return folder
    raise WheelError(f"{ENVIRONMENT}: Triton's wheel is not installed there; `make triton` does it")


def link_backends(folder: Path) -> Path:
    """Write a backend folder below `folder` that links the Python backend and its stub together.

    Raises:
        WheelError: the wheel has no stub for this version of Python.
    """
    wheel = server_folder()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = wheel / "python_backend_stubs" / version / STUB
    if not stub.is_file():
        raise WheelError(f"the wheel has no stub for Python {version}")
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True, exist_ok=True)
    for file in (*(wheel / "backends" / "python").glob("*.*"), stub):
        link = backend / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return backend.parent


def server_command(repository: Path, folder: Path, ports: Ports) -> list[str]:
    """The command line that serves `repository` on loopback; add more flags at its end. `folder` is for links.

    Raises:
        WheelError: the wheel is not installed, or has no stub for this version of Python.
    """
    return [
        str(server_folder() / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={link_backends(folder)}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={ports.grpc}",
        "--http-address=127.0.0.1",
        f"--http-port={ports.http}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={ports.metrics}",
        "--disable-auto-complete-config",  # config.pbtxt is complete; a guess would only hide a mistake
        "--strict-readiness=true",
        "--exit-timeout-secs=10",
        "--grpc-http2-min-recv-ping-interval-without-data=5000",  # the gateway's pings while a call is long
    ]


def server_environment() -> dict[str, str]:
    """The environment with Triton's own Python first in PATH, which tells the stub where packages are."""
    path = f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}


def start_server(
    command: list[str], log: IO[bytes] | None = None, cores: set[int] | None = None
) -> subprocess.Popen[bytes]:
    """Start what `server_command` says, in a session of its own, which the stubs of its models share.

    `log` takes what it prints, which otherwise goes where this process prints; `cores` are all that it may use.
    """
    return subprocess.Popen(  # noqa: S603 (our own command)
        command,
        env=server_environment(),
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=None if cores is None else partial(os.sched_setaffinity, 0, cores),
    )
