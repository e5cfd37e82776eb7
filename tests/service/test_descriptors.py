"""A server that runs out of descriptors says so, and has as many as it may."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.repository import REPOSITORY
from tests.service.live_server import live_server

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"


def test_connections_beyond_the_descriptors_are_told_in_the_log() -> None:
    with (
        live_server(REPOSITORY, before=LIMITED.format(soft=100, hard=100)) as server,
        ExitStack() as connections,
    ):
        assert "RLIMIT_NOFILE" not in server.log()
        for _ in range(150):
            with suppress(ConnectionError):
                connections.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        end = time.monotonic() + 20
        while "of 100 descriptors (RLIMIT_NOFILE)" not in server.log():
            assert time.monotonic() < end, server.log()
            time.sleep(0.1)
        assert server.process.poll() is None


def test_the_limit_is_raised_to_what_the_system_allows() -> None:
    with live_server(REPOSITORY, before=LIMITED.format(soft=64, hard=1000)) as server:
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        files = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        assert files.split()[3:5] == ["1000", "1000"]
