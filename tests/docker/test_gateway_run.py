"""What the gateway image runs, in a stand-in for a container: its own entry, user, environment and health check."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.docker import container as containers
from tests.docker.container import Container, container, host_system
from tests.docker.dockerfile import ROOT, Stage, read_dockerfile
from tests.repository import REPOSITORY

REASON = containers.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no container can be made here: {REASON}")

EMBED = """
import http.client, json
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=20)
body = json.dumps({"inputs": [{"text": "a cow"}]})
connection.request("POST", "/embed", body, {"Content-Type": "application/json"})
print(connection.getresponse().read().decode())
"""


@pytest.fixture
def image() -> Stage:
    return read_dockerfile(ROOT / "docker" / "gateway.Dockerfile")[-1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that becomes `/`, and that everyone may enter."""
    folder = tmp_path / "root"
    (folder / "models").mkdir(parents=True)
    folder.chmod(0o755)
    return folder


def mounts(root: Path, models: Path | None) -> dict[str, Path]:
    """The host's system, the environment of these tests where the image has its own, and what compose mounts."""
    environment = Path(sys.prefix)
    lent = {str(path): path for path in (Path(sys.base_prefix), ROOT, environment)}
    served = {"/opt/onepeace": environment} | ({"/models": models} if models else {})
    return host_system(root) | lent | served


def stop_grace_s(service: dict[str, Any]) -> float:
    return float(service["stop_grace_period"].removesuffix("s"))


def check_confinement(gateway: Container) -> None:
    assert gateway.status("Uid") == gateway.status("Gid") == "10001\t10001\t10001\t10001"
    for field in ("CapEff", "CapPrm", "CapBnd", "Groups"):
        assert not gateway.status(field).strip("0"), field
    assert gateway.status("NoNewPrivs") == "1"
    writing = gateway.run(["python", "-c", "open('/models/x', 'w')"])
    assert "Read-only file system" in writing.stderr


def test_the_entry_serves_with_a_read_only_root_and_ends_within_its_grace(
    root: Path, image: Stage, services: dict[str, Any]
) -> None:
    service = services["gateway-cpu"]
    environment = image.environment() | service["environment"]
    user = image.last("USER") or "0:0"
    with container(root, mounts(root, REPOSITORY), user, environment, image.command()) as gateway:
        gateway.wait_until_healthy(service["healthcheck"]["test"][1:], timeout_s=30)
        check_confinement(gateway)
        answer = json.loads(gateway.run(["python", "-c", EMBED]).stdout)
        assert len(answer["data"][0]["embedding"]) == answer["dimensions"]
        start = time.monotonic()
        assert gateway.stop(stop_grace_s(service)) == 0
        assert time.monotonic() - start >= 1.0, "it did not drain"
        for sign in ("Traceback", "elemetry", "is not a setting"):
            assert sign not in gateway.log()


def test_without_a_model_repository_it_ends_and_says_so(root: Path, image: Stage) -> None:
    user = image.last("USER") or "0:0"
    with container(root, mounts(root, None), user, image.environment(), image.command()) as gateway:
        assert gateway.process.wait(20) == 1
        assert "/models" in gateway.log()
