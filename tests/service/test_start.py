"""A start that can't succeed ends with a code and a line that says why; SIGTERM is in tests/load/."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import httpx

from tests.repository import REPOSITORY
from tests.service.live_server import START_S, LiveServer
from tests.service.media_files import picture


def test_a_broken_repository_ends_the_start_with_its_name() -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", "no/such/folder", "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "no/such/folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_ends_the_start_with_its_name(server: LiveServer) -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", str(REPOSITORY)]
    result = subprocess.run([*command, "--port", str(server.port)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert f"can't listen on 127.0.0.1:{server.port} (" in result.stderr
    assert "already in use" in result.stderr
    assert "wrong setting" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_of_grpc_is_told_with_its_reason(server: LiveServer) -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--model-repository", str(REPOSITORY), "--port", "0"]
    result = subprocess.run(
        [*command, "--grpc-port", str(server.grpc_port)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert f"can't listen on 127.0.0.1:{server.grpc_port} for gRPC" in result.stderr
    assert "already in use" in result.stderr


def test_a_bad_setting_ends_the_start_with_its_name() -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--max-items", "many", "--port", "70000"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "ONEPEACE_MAX_ITEMS" in result.stderr
    assert "--port" in result.stderr


def test_closed_standard_streams_do_not_matter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    serve = [sys.executable, "-m", "service.cli", "serve", "--model-repository", str(REPOSITORY), "--grpc-port", "0"]
    closing = ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]
    with subprocess.Popen([*closing, *serve, "--port", str(port), "--log-level", "debug"]) as process:
        try:
            wait_until_live(process, port)
            answer = httpx.post(f"http://127.0.0.1:{port}/embed", files={"image": picture(1)}, timeout=30)
            assert answer.status_code == 200
        finally:
            process.terminate()
        assert process.wait(30) == 0


def wait_until_live(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server did not get ready; its code: {process.poll()}")
