"""A client whose stubs are generated from the proto when the tests run, and that shares no code with the service."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.service.live_server import LiveServer

PROTO = Path(__file__).parents[3] / "proto"
FILE = "onepeace/v1/onepeace.proto"


@dataclass(frozen=True, slots=True)
class Generated:
    """`pb` has the messages, `stub` makes a stub for a channel."""

    pb: Any
    stub: Any


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    out = tmp_path_factory.mktemp("stubs")
    options = [f"-I{PROTO}", f"--python_out={out}", f"--grpc_python_out={out}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, FILE], check=True)
    sys.path.insert(0, str(out))
    try:
        pb = importlib.import_module("onepeace.v1.onepeace_pb2")
        services = importlib.import_module("onepeace.v1.onepeace_pb2_grpc")
    finally:
        sys.path.remove(str(out))
    return Generated(pb, services.OnePeaceServiceStub)


@pytest.fixture(scope="session")
def pb(generated: Generated) -> Any:
    return generated.pb


@pytest.fixture(scope="session")
def stub(generated: Generated, server: LiveServer) -> Iterator[Any]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield generated.stub(channel)
