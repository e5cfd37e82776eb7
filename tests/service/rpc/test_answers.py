"""Every method against the REST endpoint of the same question."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict

from tests.service.media_files import clip, encoded, picture

IMAGE, AUDIO = picture(3), clip(3, 4.0, 44_100)


def ask(client: httpx.Client, path: str, body: dict[str, object]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def numbers(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<f4")


def plain(message: Any) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)


def mixed_items(pb: Any) -> tuple[list[Any], list[dict[str, object]]]:
    """The same four items as messages and as JSON."""
    parts = pb.Fused(parts=[pb.Part(text="a cow"), pb.Part(image=IMAGE), pb.Part(audio=AUDIO)], weights=[1, 0.5, -0.25])
    messages = [pb.Item(text="a cow"), pb.Item(image=IMAGE), pb.Item(audio=AUDIO), pb.Item(fused=parts)]
    cow, image, audio = {"text": "a cow"}, {"image": encoded(IMAGE)}, {"audio": encoded(AUDIO)}
    return messages, [cow, image, audio, {"parts": [cow, image, audio], "weights": [1, 0.5, -0.25]}]


def test_embed_gives_what_rest_gives(stub: Any, client: httpx.Client, pb: Any) -> None:
    messages, items = mixed_items(pb)
    given, expected = stub.Embed(pb.EmbedRequest(inputs=messages)), ask(client, "/embed", {"inputs": items})
    assert (given.model, given.fingerprint, given.dimensions) == tuple(
        expected[name] for name in ("model", "fingerprint", "dimensions")
    )
    for datum, same in zip(given.data, expected["data"], strict=True):
        assert (datum.index, datum.modality) == (same["index"], same["modality"])
        np.testing.assert_allclose(numbers(datum.vector.float32), same["embedding"], atol=1e-6)
        assert plain(datum.input) == same["input"], "a note of REST's has no field in the message"
        assert not datum.vector.HasField("int8")


def test_token_ids_give_what_rest_gives(stub: Any, client: httpx.Client, pb: Any) -> None:
    tokens = pb.Tokens(ids=[44, 1_000, 7])
    items = [pb.Item(tokens=tokens), pb.Item(fused=pb.Fused(parts=[pb.Part(tokens=tokens), pb.Part(text="a cow")]))]
    given = stub.Embed(pb.EmbedRequest(inputs=items))
    ids = {"tokens": [44, 1_000, 7]}
    expected = ask(client, "/embed", {"inputs": [ids, {"parts": [ids, {"text": "a cow"}]}]})["data"]
    for datum, same in zip(given.data, expected, strict=True):
        assert datum.modality == same["modality"]
        np.testing.assert_allclose(numbers(datum.vector.float32), same["embedding"], atol=1e-6)
    assert plain(given.data[0].input) == expected[0]["input"]


def test_encodings_are_the_bytes_that_rest_gives_as_base64(stub: Any, client: httpx.Client, pb: Any) -> None:
    forms = [pb.ENCODING_BINARY, pb.ENCODING_INT8, pb.ENCODING_FLOAT]
    given = stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="a cow")], encoding=forms)).data[0].vector
    body = {"inputs": [{"text": "a cow"}], "encoding": ["base64", "int8", "binary"]}
    expected = ask(client, "/embed", body)["data"][0]["embeddings"]
    assert given.int8 == base64.b64decode(expected["int8"])
    assert given.binary == base64.b64decode(expected["binary"])
    np.testing.assert_allclose(numbers(given.float32), numbers(base64.b64decode(expected["base64"])), atol=1e-6)


def test_windows_are_those_of_rest(stub: Any, client: httpx.Client, pb: Any) -> None:
    request = pb.EmbedRequest(inputs=[pb.Item(audio=AUDIO)], windows=pb.Windows(seconds=2, hop=1))
    given = stub.Embed(request).data[0]
    body = {"inputs": [{"audio": encoded(AUDIO)}], "windows": {"seconds": 2, "hop": 1}}
    expected = ask(client, "/embed", body)["data"][0]
    np.testing.assert_allclose(numbers(given.vector.float32), expected["embedding"], atol=1e-6)
    assert plain(given.input) == expected["input"]
    assert len(given.windows) > 1
    for window, same in zip(given.windows, expected["windows"], strict=True):
        assert (window.start, window.end) == (same["start"], same["end"])
        np.testing.assert_allclose(numbers(window.vector.float32), same["embedding"], atol=1e-6)


def test_similarity_gives_what_rest_gives(stub: Any, client: httpx.Client, pb: Any) -> None:
    messages, items = mixed_items(pb)
    given = stub.Similarity(pb.SimilarityRequest(queries=messages[:2], candidates=messages[1:], probabilities=True))
    expected = ask(client, "/similarity", {"queries": items[:2], "candidates": items[1:], "probabilities": True})
    assert (given.similarity.rows, given.similarity.columns) == (2, 3)
    for name in ("similarity", "probabilities"):
        np.testing.assert_allclose(numbers(getattr(given, name).float32).reshape(2, 3), expected[name], atol=1e-6)
    assert not stub.Similarity(pb.SimilarityRequest(queries=messages, candidates=messages)).HasField("probabilities")


def test_vectors_that_the_caller_has_are_taken_back(stub: Any, pb: Any) -> None:
    embedded = stub.Embed(pb.EmbedRequest(inputs=[pb.Item(text="a cow")]))
    own = pb.GivenVector(float32=embedded.data[0].vector.float32, fingerprint=embedded.fingerprint)
    request = pb.SimilarityRequest(queries=[pb.Item(embedding=own)], candidates=[pb.Item(text="a cow")])
    assert numbers(stub.Similarity(request).similarity.float32)[0] == pytest.approx(1, abs=1e-6)


def test_ground_gives_what_rest_gives(stub: Any, client: httpx.Client, pb: Any) -> None:
    phrases = ["the bee", "the red thing"]
    given = stub.Ground(pb.GroundRequest(image=IMAGE, phrases=phrases))
    expected = ask(client, "/ground", {"image": encoded(IMAGE), "phrases": phrases})
    assert plain(given.image) == expected["image"]
    assert (given.model, given.fingerprint) == (expected["model"], expected["fingerprint"])
    for box, same in zip(given.boxes, expected["boxes"], strict=True):
        assert box.phrase == same["phrase"]
        for corner in ("x0", "y0", "x1", "y1"):
            assert getattr(box.box_normalized, corner) == pytest.approx(same["box_normalized"][corner], abs=1e-6)
            assert getattr(box.box, corner) == same["box"][corner]
        assert not box.HasField("score")


def test_scores_of_boxes_are_those_of_rest(stub: Any, client: httpx.Client, pb: Any) -> None:
    given = stub.Ground(pb.GroundRequest(image=IMAGE, phrases=["the bee"], scores=True))
    expected = ask(client, "/ground", {"image": encoded(IMAGE), "phrases": ["the bee"], "scores": True})
    assert given.boxes[0].score == pytest.approx(expected["boxes"][0]["score"], abs=1e-6)


@pytest.mark.parametrize("item", ["text", "image", "audio"])
def test_classify_gives_what_rest_gives(stub: Any, client: httpx.Client, pb: Any, item: str) -> None:
    value = {"text": "a cow", "image": IMAGE, "audio": AUDIO}[item]
    labels = ["dog", "cow", "train"]
    given = stub.Classify(pb.ClassifyRequest(input=pb.Item(**{item: value}), labels=labels))
    plain_value = value if isinstance(value, str) else encoded(value)
    expected = ask(client, "/classify", {"input": {item: plain_value}, "labels": labels})
    assert [label.label for label in given.labels] == [label["label"] for label in expected["labels"]]
    for label, same in zip(given.labels, expected["labels"], strict=True):
        assert label.probability == pytest.approx(same["probability"], abs=1e-6)
        assert label.cosine == pytest.approx(same["cosine"], abs=1e-6)
    assert plain(given.input) == expected["input"]
    assert not given.HasField("none_of_these")


def test_options_of_classify_are_those_of_rest(stub: Any, client: httpx.Client, pb: Any) -> None:
    options: dict[str, Any] = {"templates": ["a {}", "a sound of {}"], "multi_label": True, "threshold": 0.1}
    labels = ["dog", "cow", "train"]
    given = stub.Classify(pb.ClassifyRequest(input=pb.Item(audio=AUDIO), labels=labels, **options))
    expected = ask(client, "/classify", {"input": {"audio": encoded(AUDIO)}, "labels": labels} | options)
    for label, same in zip(given.labels, expected["labels"], strict=True):
        assert label.label == same["label"]
        assert label.probability == pytest.approx(same["probability"], abs=1e-6)
    assert given.none_of_these == pytest.approx(expected["none_of_these"], abs=1e-6)


def test_audio_labels_give_what_rest_gives(stub: Any, client: httpx.Client, pb: Any) -> None:
    request = pb.AudioLabelsRequest(audio=AUDIO, top_k=3, windows=pb.Windows(seconds=2))
    given = stub.AudioLabels(request)
    expected = ask(client, "/audio/labels", {"audio": encoded(AUDIO), "top_k": 3, "windows": {"seconds": 2}})
    for labels, same in [(given.labels, expected["labels"])] + [
        (window.labels, other["labels"]) for window, other in zip(given.windows, expected["windows"], strict=True)
    ]:
        assert [label.label for label in labels] == [label["label"] for label in same]
        np.testing.assert_allclose([label.probability for label in labels], [x["probability"] for x in same], atol=1e-6)
    assert plain(given.input) == expected["input"]
    assert len(stub.AudioLabels(pb.AudioLabelsRequest(audio=AUDIO)).labels) == 5, "the default of REST"


def info_agrees(message: Any, expected: dict[str, Any]) -> None:
    given = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for name in ("model", "fingerprint", "dimensions", "engine", "device", "version"):
        assert given[name] == expected[name]
    for name, limit in expected["limits"].items():
        assert name in given["limits"], "a limit of REST's has no field in the message"
        value = given["limits"][name]
        assert value == limit or float(value) == limit  # 64-bit integers are strings in protobuf's JSON
    for model, card in expected["models"].items():
        for name, value in card.items():
            assert given["models"][model][name] == value, f"{name} of a card has no field in the message"


def test_info_says_what_rest_says(stub: Any, client: httpx.Client, pb: Any) -> None:
    message = stub.Info(pb.InfoRequest())
    info_agrees(message, client.get("/info").json())
    assert not message.limits.HasField("url_max_bytes"), "URLs are not fetched here"


def test_ids_come_back_and_stages_are_timed(stub: Any, pb: Any) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = (("x-request-id", "my-id.1"), ("traceparent", trace))
    _, call = stub.Embed.with_call(pb.EmbedRequest(inputs=[pb.Item(image=IMAGE)]), metadata=metadata)
    trailers = dict(call.trailing_metadata())
    assert (trailers["x-request-id"], trailers["traceparent"]) == ("my-id.1", trace)
    assert {part.split(";")[0] for part in trailers["server-timing"].split(", ")} >= {"decode", "infer"}
    _, call = stub.Embed.with_call(
        pb.EmbedRequest(inputs=[pb.Item(text="x")]), metadata=(("x-request-id", "no good!"), ("traceparent", "00-1"))
    )
    trailers = dict(call.trailing_metadata())
    assert len(trailers["x-request-id"]) == 32
    assert "traceparent" not in trailers


def test_calls_are_counted_beside_those_of_rest(stub: Any, client: httpx.Client, pb: Any) -> None:
    series = 'onepeace_requests_total{endpoint="/onepeace.v1.OnePeaceService/Classify",status="200"}'

    def count() -> float:
        lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(series)]
        return float(lines[0].split()[-1]) if lines else 0.0

    before = count()
    stub.Classify(pb.ClassifyRequest(input=pb.Item(text="a cow"), labels=["a", "b"]))
    assert count() == before + 1
