"""The real server in its own process, over a real socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

START_S = 60.0
LOG_SHOWN = 8000  # characters
SIGNS_OF_BUGS = ("Traceback", "Warning:", "never retrieved", "never awaited", "internal error")


@dataclass(slots=True)
class LiveServer:
    """A running `onepeace serve`."""

    process: subprocess.Popen[bytes]
    port: int
    grpc_port: int
    output: IO[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def resident_bytes(self) -> int:
        """Memory that the server holds now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel tells no VmRSS")

    def log(self) -> str:
        """What it has written to stderr; requests' lines come some milliseconds late."""
        size = os.fstat(self.output.fileno()).st_size
        return os.pread(self.output.fileno(), size, 0).decode(errors="replace")  # a seek would move its writer, too

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def raw(self, data: bytes, timeout_s: float = 20.0) -> bytes:
        """Send bytes as they are and read until the server closes or stays silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(data)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
                if _complete(answer):
                    break
            return answer


def _complete(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if blank and line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


@contextmanager
def live_server(
    repository: Path, before: str = "", wait: bool = True, harmed: bool = False, **settings: object
) -> Iterator[LiveServer]:
    """Start the server on free ports, `wait` until it is ready, stop it at the end.

    `before` is code that its process runs first, to shorten a constant. The server's log must hold no sign of a bug,
    unless the test has `harmed` it.
    """
    with socket.socket() as probe, socket.socket() as second_probe:
        probe.bind(("127.0.0.1", 0))
        second_probe.bind(("127.0.0.1", 0))
        port, grpc_port = probe.getsockname()[1], second_probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ONEPEACE_")}
    environment["ONEPEACE_GRPC_PORT"] = str(grpc_port)
    environment |= {f"ONEPEACE_{key.upper()}": str(value) for key, value in settings.items()}
    code = f"{before}\nimport sys\nfrom service.cli import main\nsys.exit(main())"
    command = [sys.executable, "-c", code, "serve", "--port", str(port), "--model-repository", str(repository)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stderr=log)
        server = LiveServer(process, port, grpc_port, log)
        try:
            if wait:
                wait_until_ready(server, log)
            yield server
        finally:
            process.kill()
            process.wait()
        complaints = [line for line in _read(log).splitlines() if any(sign in line for sign in SIGNS_OF_BUGS)]
        assert harmed or not complaints, _read(log)[-LOG_SHOWN:]


def _read(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")


def wait_until_ready(server: LiveServer, log: IO[bytes]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with code {server.process.returncode}: {_read(log)}")
        try:
            if httpx.get(server.url + "/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the server did not get ready")
