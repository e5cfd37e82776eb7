"""The same bad input over both wires: the same code, pointers and limits, and the status that belongs to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from service import errors
from service.rpc.errors import code_of, status_of
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encode_clip, encoded, picture
from tests.service.rpc.conftest import Generated
from tests.service.rpc.status import details, refused
from tests.service.test_bad_input import BAD_IMAGES, BAD_SOUNDS, LIMIT, MIB, png_header
from tests.service.test_errors import subclasses

STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
HOUR = encode_clip(np.zeros(3600 * 16_000, dtype=np.int16), form="FLAC")
Case = tuple[str, Callable[[Any], Any], str, dict[str, Any]]


def media_cases() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for kind, table in (("image", BAD_IMAGES), ("audio", BAD_SOUNDS)):
        for name, make in table.items():
            data = make()
            cases[f"{kind}: {name}"] = (
                "Embed",
                lambda pb, kind=kind, data=data: pb.EmbedRequest(inputs=[pb.Item(**{kind: data})]),
                "/embed",
                {"inputs": [{kind: encoded(data)}]},
            )
    return cases


def vector(numbers: list[float]) -> bytes:
    return np.array(numbers, "<f4").tobytes()


def similarity(numbers: list[float], fingerprint: str | None = None) -> Case:
    item: dict[str, Any] = {"embedding": numbers} | ({"fingerprint": fingerprint} if fingerprint else {})
    return (
        "Similarity",
        lambda pb: pb.SimilarityRequest(
            queries=[pb.Item(embedding=pb.GivenVector(float32=vector(numbers), fingerprint=fingerprint))],
            candidates=[pb.Item(text="x")],
        ),
        "/similarity",
        {"queries": [item], "candidates": [{"text": "x"}]},
    )


def embed(make: Callable[[Any], Any], **body: Any) -> Case:
    return "Embed", make, "/embed", body


def texts(pb: Any, *values: str) -> list[Any]:
    return [pb.Item(text=value) for value in values]


CASES: dict[str, Case] = media_cases() | {
    "no items": embed(lambda pb: pb.EmbedRequest(), inputs=[]),
    "an item of no kind": embed(lambda pb: pb.EmbedRequest(inputs=[pb.Item()]), inputs=[{}]),
    "token ids of another vocabulary": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(tokens=pb.Tokens(ids=[44, 2**31 - 1]))]),
        inputs=[{"tokens": [44, 2**31 - 1]}],
    ),
    "a token id below 0": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(tokens=pb.Tokens(ids=[44, -1]))]), inputs=[{"tokens": [44, -1]}]
    ),
    "no token ids": embed(lambda pb: pb.EmbedRequest(inputs=[pb.Item(tokens=pb.Tokens())]), inputs=[{"tokens": []}]),
    "two bad items": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(), pb.Item(text="x"), pb.Item(image=b"x")]),
        inputs=[{}, {"text": "x"}, {"image": encoded(b"x")}],
    ),
    "too many items": embed(lambda pb: pb.EmbedRequest(inputs=texts(pb, *"x" * 129)), inputs=[{"text": "x"}] * 129),
    "too many parts": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(fused=pb.Fused(parts=[pb.Part(text="x")] * 129))]),
        inputs=[{"parts": [{"text": "x"}] * 129}],
    ),
    "a long text": embed(lambda pb: pb.EmbedRequest(inputs=texts(pb, "x" * 40_000)), inputs=[{"text": "x" * 40_000}]),
    "weights for nobody": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(fused=pb.Fused(parts=[pb.Part(text="x")], weights=[1, 2]))]),
        inputs=[{"parts": [{"text": "x"}], "weights": [1, 2]}],
    ),
    "no parts": embed(lambda pb: pb.EmbedRequest(inputs=[pb.Item(fused=pb.Fused())]), inputs=[{"parts": []}]),
    "a vector to embed": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(embedding=pb.GivenVector(float32=vector([1.0])))]),
        inputs=[{"embedding": [1.0]}],
    ),
    "cancelling parts": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(fused=pb.Fused(parts=[pb.Part(text="x")] * 2, weights=[1, -1]))]),
        inputs=[{"parts": [{"text": "x"}] * 2, "weights": [1, -1]}],
    ),
    "dimensions it was not trained for": embed(
        lambda pb: pb.EmbedRequest(inputs=texts(pb, "x"), dimensions=7), inputs=[{"text": "x"}], dimensions=7
    ),
    "no dimensions": embed(
        lambda pb: pb.EmbedRequest(inputs=texts(pb, "x"), dimensions=0), inputs=[{"text": "x"}], dimensions=0
    ),
    "windows without a length": embed(
        lambda pb: pb.EmbedRequest(inputs=texts(pb, "x"), windows=pb.Windows()), inputs=[{"text": "x"}], windows={}
    ),
    "windows that leave gaps": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(audio=clip(1))], windows=pb.Windows(seconds=2, hop=3)),
        inputs=[{"audio": encoded(clip(1))}],
        windows={"seconds": 2, "hop": 3},
    ),
    "a huge picture": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(image=png_header(50_000, 50_000))]),
        inputs=[{"image": encoded(png_header(50_000, 50_000))}],
    ),
    "an hour of silence": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(audio=HOUR)]), inputs=[{"audio": encoded(HOUR)}]
    ),
    "a picture by URL, which is off": embed(
        lambda pb: pb.EmbedRequest(inputs=[pb.Item(image_url="https://example.org/cow.jpg")]),
        inputs=[{"image": "https://example.org/cow.jpg"}],
    ),
    "a short vector": similarity([1.0, 2.0]),
    "a vector of zeros": similarity([0.0] * 128),
    "another model's vector": similarity([1.0] * 128, "0" * 64),
    "no candidates": (
        "Similarity",
        lambda pb: pb.SimilarityRequest(queries=texts(pb, "x")),
        "/similarity",
        {"queries": [{"text": "x"}], "candidates": []},
    ),
    "no phrases": (
        "Ground",
        lambda pb: pb.GroundRequest(image=picture(1)),
        "/ground",
        {"image": encoded(picture(1)), "phrases": []},
    ),
    "nothing to look at": ("Ground", lambda pb: pb.GroundRequest(phrases=["x"]), "/ground", {"phrases": ["x"]}),
    "nothing to classify": ("Classify", lambda pb: pb.ClassifyRequest(labels=["x"]), "/classify", {"labels": ["x"]}),
    "no labels": (
        "Classify",
        lambda pb: pb.ClassifyRequest(input=pb.Item(text="x")),
        "/classify",
        {"input": {"text": "x"}, "labels": []},
    ),
    "no top": (
        "AudioLabels",
        lambda pb: pb.AudioLabelsRequest(audio=clip(1), top_k=0),
        "/audio/labels",
        {"audio": encoded(clip(1)), "top_k": 0},
    ),
    "nothing to hear": ("AudioLabels", lambda pb: pb.AudioLabelsRequest(top_k=3), "/audio/labels", {"top_k": 3}),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_as_rest_refuses_it(stub: Any, client: httpx.Client, pb: Any, name: str) -> None:
    method, make, path, body = CASES[name]
    answer = client.post(path, json=body)
    assert answer.status_code >= 400
    expected = answer.json()
    error = refused(lambda: getattr(stub, method)(make(pb), metadata=(("x-request-id", "mine"),)))
    assert error.code() is STATUSES[answer.status_code]
    place = expected["errors"][0]["pointer"] if len(expected["errors"]) == 1 else ""
    assert error.details() == (f"{place}: {expected['detail']}" if place else expected["detail"])
    found = details(error, pb)
    problem = found["problem"]
    assert (problem.code, problem.request_id, problem.omitted) == (expected["code"], "mine", 0)
    given = [
        {"pointer": entry.pointer, "code": entry.code, "detail": entry.detail}
        | {name: getattr(entry, name) for name in ("limit", "actual") if entry.HasField(name)}
        for entry in problem.errors
    ]
    assert given == expected["errors"]
    assert (found["info"].reason, found["info"].domain) == (expected["code"].upper(), "onepeace")
    assert [(v.field, v.description, v.reason) for v in found["bad_request"].field_violations] == [
        (entry["pointer"], entry["detail"], entry["code"].upper()) for entry in expected["errors"]
    ]
    assert found["request"].request_id == "mine"


@pytest.mark.parametrize(
    "kind", [errors.ServiceError, *subclasses(errors.ServiceError)], ids=lambda kind: kind.__name__
)
def test_every_error_has_the_code_that_belongs_to_its_http_status(kind: type[errors.ServiceError]) -> None:
    assert code_of(kind) is STATUSES.get(kind.status, grpc.StatusCode.INVALID_ARGUMENT)


def test_a_vector_of_broken_numbers_is_refused(stub: Any, pb: Any) -> None:
    for data in (b"", b"\0" * 511, vector([np.nan] * 128), vector([np.inf] * 128)):
        query = pb.Item(embedding=pb.GivenVector(float32=data))
        request = pb.SimilarityRequest(queries=[query], candidates=texts(pb, "x"))
        error = refused(lambda request=request: stub.Similarity(request))
        problem = details(error, pb)["problem"]
        assert (error.code(), problem.code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_field")
        assert problem.errors[0].pointer.startswith("/queries/0/embedding")


def test_unknown_numbers_of_enums_are_refused(stub: Any, pb: Any) -> None:
    for options in ({"encoding": [77]}, {"on_error": 77}):
        error = refused(lambda options=options: stub.Embed(pb.EmbedRequest(inputs=texts(pb, "x"), **options)))
        assert details(error, pb)["problem"].errors[0].pointer.startswith(f"/{next(iter(options))}")


def test_under_report_a_bad_item_harms_no_other(stub: Any, pb: Any) -> None:
    items = [pb.Item(), pb.Item(text="x"), pb.Item(image=b"no picture")]
    data = stub.Embed(pb.EmbedRequest(inputs=items, on_error=pb.ON_ERROR_REPORT)).data
    assert [datum.WhichOneof("outcome") for datum in data] == ["error", "vector", "error"]
    assert [datum.modality for datum in data] == ["unknown", "text", "image"]
    assert data[2].error.code == "unreadable_image"
    assert data[2].error.pointer == "/inputs/2/image"


def test_hundreds_of_errors_fit_into_the_metadata(stub: Any, pb: Any) -> None:
    error = refused(lambda: stub.Embed(pb.EmbedRequest(inputs=[pb.Item()] * 128)))
    problem = details(error, pb)["problem"]
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert problem.errors
    assert len(problem.errors) + problem.omitted == 128


def test_details_of_any_error_are_small() -> None:
    wrong = [errors.InvalidField("ü" * 5000, pointer=f"/inputs/{i}") for i in range(256)]
    status = status_of(errors.InvalidRequest(wrong), "x" * 128)
    assert len(status.details) < 5000
    assert len(status.message) <= 500


def raw_call(server: LiveServer, method: str, data: bytes, **options: Any) -> bytes:
    with grpc.insecure_channel(server.grpc_address) as channel:
        answer: bytes = channel.unary_unary(f"/onepeace.v1.OnePeaceService/{method}")(data, timeout=30, **options)
        return answer


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"\x0a\x04\x0a\x02\xff\xfe", b"\x0b" * 200], ids=repr)
def test_bytes_that_are_no_message_are_refused(server: LiveServer, pb: Any, data: bytes) -> None:
    error = refused(lambda: raw_call(server, "Embed", data))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error, pb)["problem"].code == "malformed_body"


@pytest.mark.parametrize("unit", [b"\x0a\x00", b"\x0a\x02\x3a\x00", b"\x12\x00", b"\x10\x01"], ids=repr)
def test_a_message_of_millions_of_fields_is_refused_before_it_is_built(
    server: LiveServer, pb: Any, unit: bytes
) -> None:
    before, started = server.resident_bytes(), time.monotonic()
    error = refused(lambda: raw_call(server, "Embed", unit * ((LIMIT - 100) // len(unit))))
    assert (error.code(), details(error, pb)["problem"].code) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "body_too_large",
    )
    assert time.monotonic() - started < 3
    assert server.resident_bytes() - before < 64 * MIB


def test_a_vector_of_millions_of_numbers_is_refused_before_it_is_built(server: LiveServer, stub: Any, pb: Any) -> None:
    item = pb.Item(embedding=pb.GivenVector(float32=b"\0" * (7 * MIB)))
    before = server.resident_bytes()
    error = refused(lambda: stub.Similarity(pb.SimilarityRequest(queries=[item], candidates=texts(pb, "x"))))
    assert details(error, pb)["problem"].errors[0].pointer == "/queries/0/embedding"
    assert server.resident_bytes() - before < 64 * MIB


def test_a_message_over_the_limit_is_refused(server: LiveServer, stub: Any, pb: Any) -> None:
    before = server.resident_bytes()
    error = refused(lambda: stub.Embed(pb.EmbedRequest(inputs=[pb.Item(image=b"x" * (LIMIT + 100))])))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.resident_bytes() - before < LIMIT + 32 * MIB
    good = pb.EmbedRequest(inputs=[pb.Item(image=b"x" * (LIMIT - 100))])
    assert refused(lambda: stub.Embed(good)).code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_compressed_message_is_refused_unopened(server: LiveServer, pb: Any) -> None:
    """Eight megabytes of zeros are eight kilobytes on the wire, and could be gigabytes."""
    bomb = pb.EmbedRequest(inputs=[pb.Item(image=b"\0" * (64 * MIB))]).SerializeToString()
    before = server.resident_bytes()
    error = refused(lambda: raw_call(server, "Embed", bomb, compression=grpc.Compression.Gzip))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert server.resident_bytes() - before < 32 * MIB


def test_a_call_without_a_message_is_refused(server: LiveServer, pb: Any) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.stream_unary("/onepeace.v1.OnePeaceService/Embed")
        error = refused(lambda: call(iter(()), timeout=30))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_is_unimplemented(server: LiveServer) -> None:
    assert refused(lambda: raw_call(server, "Nothing", b"")).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_does_not_arrive_in_time_is_given_up(generated: Generated, pb: Any) -> None:
    def never() -> Any:
        time.sleep(5)
        yield b""

    with (
        live_server(REPOSITORY, read_timeout_ms=300) as impatient,
        grpc.insecure_channel(impatient.grpc_address) as channel,
    ):
        started = time.monotonic()
        call = channel.stream_unary("/onepeace.v1.OnePeaceService/Embed")
        error = refused(lambda: call(never(), timeout=30))
        assert time.monotonic() - started < 4
    assert (error.code(), details(error, pb)["problem"].code) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "request_too_slow",
    )


def test_a_full_queue_is_told_with_the_time_to_come_again(generated: Generated, pb: Any) -> None:
    body = pb.EmbedRequest(inputs=[pb.Item(audio=clip(1, 15.0))])
    with (
        live_server(REPOSITORY, max_queue=4, max_items=4) as small,
        grpc.insecure_channel(small.grpc_address) as channel,
    ):
        calls = [generated.stub(channel).Embed.future(body) for _ in range(40)]
        failures = [call.exception() for call in calls]
    failed = [failure for failure in failures if failure is not None]
    assert 0 < len(failed) < 40
    for failure in failed:
        assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        found = details(failure, pb)
        assert (found["problem"].code, found["problem"].errors[0].limit) == ("queue_full", 4)
        assert found["retry"].retry_delay.seconds == 1
