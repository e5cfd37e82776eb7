"""What a refused request leaves in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import httpx
import pytest

from service.rpc.generated import onepeace_pb2 as pb
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}
WIDE = b'{"inputs": [' + b'{"a": 1},' * 100_000 + b"{}]}"  # 25 MB as Python's objects
TEXT = "x" * 8_000_000
LONG = b'{"inputs": [{"text": "' + TEXT.encode() + b'"}]}'
MESSAGE = pb.EmbedRequest(inputs=[pb.Item(text=TEXT)]).SerializeToString()
REQUESTS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """Without a garbage collector: what is in a circle stays."""
    with live_server(REPOSITORY, before="import gc; gc.disable()") as running:
        yield running


def post(path: str, body: bytes) -> Callable[[LiveServer], bool]:
    def ask(server: LiveServer) -> bool:
        return httpx.post(server.url + path, content=body, headers=JSON, timeout=60).status_code in (400, 422)

    return ask


def call(server: LiveServer) -> bool:
    with grpc.insecure_channel(server.grpc_address) as channel:
        try:
            channel.unary_unary("/onepeace.v1.OnePeaceService/Embed")(MESSAGE, timeout=60)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.INVALID_ARGUMENT)
    return False


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(post("/embed", WIDE), id="many items"),
        pytest.param(post("/similarity", WIDE), id="a wrong form"),
        pytest.param(post("/v1/embeddings", WIDE), id="OpenAI's format"),
        pytest.param(post("/embed", LONG), id="a long text"),
        pytest.param(call, id="gRPC"),
    ],
)
def test_refused_requests_are_let_go_at_once(server: LiveServer, ask: Callable[[LiveServer], bool]) -> None:
    for _ in range(2):
        assert ask(server)
    before = server.resident_bytes()
    for _ in range(REQUESTS):
        assert ask(server)
    assert server.resident_bytes() - before < 48 * MIB
