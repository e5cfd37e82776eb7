"""Clients that know nothing of our stubs: they ask the server what it is."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.service.live_server import LiveServer
from tests.service.rpc.test_proto import BUF

SERVICE = "onepeace.v1.OnePeaceService"
GRPCURL = shutil.which("grpcurl")
COW = {"inputs": [{"text": "a cow"}]}


def cow(client: httpx.Client) -> list[float]:
    numbers: list[float] = client.post("/embed", json=COW).json()["data"][0]["embedding"]
    return numbers


def same(answer: dict[str, Any], expected: list[float]) -> None:
    given = np.frombuffer(base64.b64decode(answer["data"][0]["vector"]["float32"]), "<f4")
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_a_client_that_knows_only_reflection_embeds(server: LiveServer, client: httpx.Client) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICE in database.get_services()
        method = DescriptorPool(database).FindServiceByName(SERVICE).FindMethodByName("Embed")
        request = GetMessageClass(method.input_type)()
        request.inputs.add().text = "a cow"
        answer = channel.unary_unary(
            f"/{SERVICE}/{method.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )(request, timeout=30)
    vector = np.frombuffer(answer.data[0].vector.float32, "<f4")
    np.testing.assert_allclose(vector, cow(client), atol=1e-6)


def run(*command: str) -> Any:
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(BUF is None, reason="needs buf, of the extra `dev`")
@pytest.mark.parametrize("version", ["grpc-v1", "grpc-v1alpha"])
def test_buf_curl_embeds_by_either_version_of_reflection(
    server: LiveServer, client: httpx.Client, version: str
) -> None:
    url = f"http://{server.grpc_address}/{SERVICE}/Embed"
    options = ["--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", version]
    same(run(str(BUF), "curl", *options, "-d", json.dumps(COW), url), cow(client))


@pytest.mark.skipif(GRPCURL is None, reason="needs grpcurl")
def test_grpcurl_lists_embeds_and_streams(server: LiveServer, client: httpx.Client) -> None:
    listed = subprocess.run([str(GRPCURL), "-plaintext", server.grpc_address, "list"], capture_output=True, text=True)
    assert {SERVICE, "grpc.health.v1.Health"} <= set(listed.stdout.split())
    call = [str(GRPCURL), "-plaintext", "-d", json.dumps(COW), server.grpc_address]
    same(run(*call, f"{SERVICE}/Embed"), cow(client))
    items = {"items": [{"id": "cow", "item": {"text": "a cow"}}]}
    call[3] = json.dumps(items)
    answer = run(*call, f"{SERVICE}/EmbedStream")
    assert answer["id"] == "cow"
    same({"data": [answer["embedding"]]}, cow(client))
