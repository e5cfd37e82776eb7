"""A real Triton from PyPI's wheel, in its own process, on a repository for its Python backend."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from bench.processes import free_ports
from export.triton.wheel import Ports, WheelError, server_command, server_folder, start_server

START_S = 90.0
STOP_S = 20.0


def needs_wheel() -> None:
    """Skip the test where the wheel is not installed."""
    try:
        server_folder()
    except WheelError as error:
        pytest.skip(str(error))


@dataclass
class WheelServer:
    """A running `tritonserver` on loopback; it keeps its ports when it is started again."""

    repository: Path
    folder: Path
    ports: Ports
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.ports.grpc}"

    def start(self) -> None:
        command = server_command(self.repository, self.folder, self.ports)
        with (self.folder / "log").open("ab") as log:
            self.process = start_server([*command, *self.flags], log)

    def wait_until_ready(self) -> None:
        """Until all models are loaded and gRPC listens."""
        end = time.monotonic() + START_S
        with self.client() as client:
            while time.monotonic() < end:
                try:
                    if client.is_server_ready(client_timeout=1.0):
                        return
                except InferenceServerException:
                    pass
                assert self.process is not None
                if self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace"))
                time.sleep(0.02)
        raise RuntimeError("Triton did not get ready")

    def client(self) -> InferenceServerClient:
        return InferenceServerClient(self.url)

    def send(self, number: signal.Signals) -> None:
        """A signal to the server alone.

        Its Python backend does not survive it when the stubs are stopped, too: the locks in their shared memory then
        end the server (`boost::interprocess::lock_exception`, seen on 2.51).
        """
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; the shared memory that the server can then no longer remove is removed here."""
        assert self.process is not None
        regions = {Path(line.split()[-1]) for line in self._maps() if "/dev/shm/triton_" in line}
        os.killpg(self.process.pid, signal.SIGKILL)  # and the stubs of its models
        self.process.wait()
        for region in regions:
            region.unlink(missing_ok=True)

    def stop(self) -> None:
        """SIGTERM, as an orchestrator would."""
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def _maps(self) -> list[str]:
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()


@contextmanager
def wheel_server(repository: Path, *flags: str) -> Iterator[WheelServer]:
    """Start Triton on `repository`, wait until it is ready, kill it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = WheelServer(repository, Path(folder), Ports(*free_ports(3)), flags)
        try:
            server.start()
            server.wait_until_ready()
            yield server
        finally:
            server.stop()
