"""The log of a live server: one line for each request, and nothing that a caller said."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import time
from typing import Any

import grpc
import httpx
import pytest

from service.rpc.generated import onepeace_pb2 as pb
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import picture

TRACE = "0af7651916cd43dd8448eb211c80319c"
EMBED = "/onepeace.v1.OnePeaceService/Embed"


def lines(server: LiveServer, request_id: str = "", within_s: float = 10.0) -> list[dict[str, Any]]:
    """The lines of requests, of one if its id is given; they come some milliseconds late."""
    end = time.monotonic() + within_s
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < end:
        parsed = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
        found = [one for one in parsed if one["event"] == "request" and request_id in ("", one["request_id"])]
        time.sleep(0.02)
    return found


def test_a_request_has_one_line_with_ids_sizes_and_stages() -> None:
    with live_server(REPOSITORY) as server:
        headers = {"X-Request-Id": "good", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answer = httpx.post(server.url + "/embed", files={"image": ("x", picture())}, headers=headers)
        (line,) = lines(server, "good")
        assert (line["level"], line["endpoint"], line["status"]) == ("info", "/embed", 200)
        assert line["trace_id"] == TRACE
        assert line["request_bytes"] == int(answer.request.headers["content-length"])
        assert line["answer_bytes"] == len(answer.content)
        assert line["items"] == {"image": 1}
        assert line["stages_ms"].keys() == {"read", "decode", "queue", "infer", "encode"}
        assert line["duration_ms"] >= max(line["stages_ms"].values())
        assert "code" not in line

        httpx.post(server.url + "/embed", files={"image": ("x", b"junk")}, headers={"X-Request-Id": "bad"})
        (line,) = lines(server, "bad")
        assert (line["status"], line["code"], line["input_codes"]) == (422, "invalid_request", ["unreadable_image"])

        with grpc.insecure_channel(server.grpc_address) as channel:
            request = pb.EmbedRequest(inputs=[pb.Item(text="a cow")]).SerializeToString()
            channel.unary_unary(EMBED)(request, metadata=(("x-request-id", "rpc"),))
        (line,) = lines(server, "rpc")
        assert (line["endpoint"], line["status"], line["request_bytes"]) == (EMBED, 200, len(request))

        httpx.get(server.url + "/metrics", headers={"X-Request-Id": "probe"})
        httpx.get(server.url + "/info", headers={"X-Request-Id": "last"})
        lines(server, "last")
        assert [line for line in lines(server) if line["request_id"] == "probe"] == []


def test_a_refused_request_has_its_reason_and_a_level() -> None:
    with live_server(REPOSITORY, deadline_ms=1, log_level="warning") as server:
        files = {"image": ("x", picture(0, (2000, 2000)))}
        httpx.post(server.url + "/embed", files=files, headers={"X-Request-Id": "late"})
        (line,) = lines(server, "late")
        assert (line["level"], line["status"], line["reason"]) == ("warning", 504, "deadline")
        assert {line["request_id"] for line in lines(server)} == {"late"}, "the server's own level counts"


def test_text_is_for_people() -> None:
    with live_server(REPOSITORY, log_format="text") as server:
        httpx.get(server.url + "/info", headers={"X-Request-Id": "mine"})
        end = time.monotonic() + 10
        while " mine" not in server.log() and time.monotonic() < end:
            time.sleep(0.02)
        (line,) = [line for line in server.log().splitlines() if line.endswith(" mine")]
        assert " INFO /info 200 " in line


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_of_a_caller_is_logged(log_format: str) -> None:
    secret = "s3cret" + secrets.token_hex(8)
    binary = base64.b64encode(secret.encode()).decode()
    with live_server(
        REPOSITORY, log_format=log_format, log_level="debug", url_fetch="allowlist", url_hosts="h.example"
    ) as server:
        tell_everything(server, secret, binary)
        httpx.get(server.url + "/info", headers={"X-Request-Id": "the-end"})
        end = time.monotonic() + 10
        while "the-end" not in server.log() and time.monotonic() < end:
            time.sleep(0.02)
        log = server.log()
    assert "the-end" in log
    assert log.count("/embed") > 10, "the requests are there"
    for form in (secret, secret.upper(), binary, secret.encode().hex()):
        assert form not in log


def tell_everything(server: LiveServer, secret: str, binary: str) -> None:
    """Requests, good and bad ones, with the secret in each place that a caller can write to."""
    headers = {
        "Authorization": f"Bearer {secret}",
        "X-Api-Key": secret,
        "Cookie": f"session={secret}",
        "Referer": f"https://x.example/{secret}",
        "User-Agent": secret,
        "X-Request-Id": f"{secret} is no valid id",
        "traceparent": f"00-{secret}",
        secret: secret,
    }
    with httpx.Client(base_url=server.url, headers=headers, timeout=60.0) as client:
        client.get(f"/{secret}?token={secret}")
        client.get(f"/v1/models/{secret}")
        client.request(secret.upper(), "/embed")
        for name, data in ((f"{secret}.png", picture()), (f"{secret}.png", b"junk" + secret.encode())):
            client.post(f"/embed?key={secret}", files={"image": (name, data)})
            client.post("/embed", files={secret: (name, data)})
        for item in (
            {"text": secret},
            {"text": secret * 10_000},
            {"image": binary},
            {"audio": binary},
            {"image": secret + "!"},
            {"image": f"https://{secret}.example/{secret}"},
            {"image": f"https://h.example/{secret}?{secret}"},
            {secret: secret},
        ):
            client.post("/embed", json={"inputs": [item]})
            client.post("/embed", json={"inputs": [item], "on_error": "report"})
        client.post("/ground", files={"image": ("x", picture())}, data={"phrase": secret})
        client.post("/classify", json={"input": {"text": secret}, "labels": [secret], "template": secret + " {}"})
        client.post("/v1/embeddings", json={"model": secret, "input": secret, "user": secret})
        client.post("/embed", content=secret.encode(), headers={"content-type": f"application/{secret}"})
        client.post("/embed", content=b'{"' + secret.encode(), headers={"content-type": "application/json"})
    server.raw(f"GET /{secret} HTTP/1.1\r\n{secret}\r\n\r\n".encode())
    with grpc.insecure_channel(server.grpc_address) as channel:
        for request in (
            pb.EmbedRequest(inputs=[pb.Item(text=secret)]),
            pb.EmbedRequest(inputs=[pb.Item(image=secret.encode())]),
        ):
            with contextlib.suppress(grpc.RpcError):
                channel.unary_unary(EMBED)(request.SerializeToString(), metadata=(("authorization", secret),))
