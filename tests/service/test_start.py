"""A start that can't succeed ends with a code and a line that says why; SIGTERM is in tests/load/."""

from __future__ import annotations

import subprocess
import sys

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer


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
