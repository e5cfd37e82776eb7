"""What the manifests expect of Triton, asked of a real one: on a sealed release, by the probes, for the series."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from export.triton.python_variant import write_python_variant
from tests.docker.test_compose import triton_flag
from tests.k8s.manifests import pod
from tests.k8s.test_metrics import TRITON_SERIES
from tests.k8s.test_model_check import seal
from tests.repository import REPOSITORY
from tests.triton.wheel_server import WheelServer, needs_wheel, wheel_server


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WheelServer]:
    """The text model, sealed: a file that is no model lies beside it."""
    needs_wheel()
    folder = tmp_path_factory.mktemp("sealed")
    write_python_variant(REPOSITORY, folder / "all", threads=1)
    (folder / "release").mkdir()
    (folder / "all" / "text").rename(folder / "release" / "text")
    seal(folder / "release")
    with wheel_server(folder / "release") as running:
        yield running


def test_the_readiness_probe_is_answered(triton: WheelServer) -> None:
    service = pod("overlays/gpu", "onepeace-triton").main["readinessProbe"]["grpc"].get("service", "")
    with grpc.insecure_channel(triton.url) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_liveness_probe_passes_and_fails_where_nobody_listens(triton: WheelServer) -> None:
    *_, code = pod("overlays/gpu", "onepeace-triton").main["livenessProbe"]["exec"]["command"]
    listens = code.replace(f" {triton_flag('http-port')},", f" {triton.ports.http},")
    assert listens != code
    assert subprocess.run([sys.executable, "-c", listens], check=False).returncode == 0
    silent = code.replace(f" {triton_flag('http-port')},", " 9,")
    assert subprocess.run([sys.executable, "-c", silent], capture_output=True, check=False).returncode != 0


def test_the_series_that_scale_it_are_there(triton: WheelServer) -> None:
    text = httpx.get(f"http://127.0.0.1:{triton.ports.metrics}/metrics").text
    # As Prometheus reads it; the Python parser would add `_total`.
    names = {line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")}
    assert names >= TRITON_SERIES
