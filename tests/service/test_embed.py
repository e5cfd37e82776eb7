"""`/embed` over a real socket."""

from __future__ import annotations

import math
import re

import httpx
import numpy as np
import pytest

from tests.service.media_files import clip, encoded, picture

ITEMS = [{"text": "a cow"}, {"image": encoded(picture(1))}, {"audio": encoded(clip(1))}]


def vectors(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([datum["embedding"] for datum in answer.json()["data"]])


def test_every_modality_gives_a_normalised_vector_in_order(client: httpx.Client) -> None:
    answer = client.post("/embed", json={"inputs": ITEMS})
    body = answer.json()
    assert [datum["modality"] for datum in body["data"]] == ["text", "image", "audio"]
    assert [datum["index"] for datum in body["data"]] == [0, 1, 2]
    assert vectors(answer).shape == (3, body["dimensions"])
    np.testing.assert_allclose(np.linalg.norm(vectors(answer), axis=1), 1.0, atol=1e-5)
    assert re.fullmatch(r"[0-9a-f]{64}", body["fingerprint"])


def test_multipart_gives_what_json_gives_in_the_order_of_its_fields(client: httpx.Client) -> None:
    fields = [("audio", ("x", clip(1))), ("text", (None, "a cow")), ("image", ("y", picture(1))), ("text", (None, "b"))]
    form = client.post("/embed", files=fields)
    assert [datum["modality"] for datum in form.json()["data"]] == ["audio", "text", "image", "text"]
    items = [ITEMS[2], ITEMS[0], ITEMS[1], {"text": "b"}]
    np.testing.assert_allclose(vectors(form), vectors(client.post("/embed", json={"inputs": items})), atol=1e-5)


def test_every_answer_says_what_was_done_to_its_item(client: httpx.Client) -> None:
    items = [
        {"text": "word " * 200},
        {"text": "hi"},
        {"image": encoded(picture(1, (300, 200)))},
        {"audio": encoded(clip(1, 17.5, 22_050))},
    ]
    data = client.post("/embed", json={"inputs": items}).json()["data"]
    assert data[0]["input"] == {"tokens": 70, "truncated": True}
    assert data[1]["input"]["truncated"] is False
    assert data[2]["input"] == {"width": 300, "height": 200}
    assert data[3]["input"] == {"seconds": 17.5, "used_seconds": 15.0, "sample_rate_hz": 22_050}


def test_a_data_uri_gives_what_base64_gives(client: httpx.Client) -> None:
    uri = {"image": "data:image/gif;base64," + encoded(picture(1))}
    both = vectors(client.post("/embed", json={"inputs": [ITEMS[1], uri]}))
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)


def test_a_fused_item_is_the_normalised_weighted_sum(client: httpx.Client) -> None:
    fused = {"parts": [ITEMS[0], ITEMS[1]], "weights": [0.25, 2.0]}
    plain = vectors(client.post("/embed", json={"inputs": ITEMS[:2]}))
    expected = 0.25 * plain[0] + 2.0 * plain[1]
    answer = client.post("/embed", json={"inputs": [fused]})
    np.testing.assert_allclose(vectors(answer)[0], expected / np.linalg.norm(expected), atol=1e-5)
    assert len(answer.json()["data"][0]["input"]["parts"]) == 2


def test_a_fused_item_whose_parts_cancel_out_is_refused(client: httpx.Client) -> None:
    fused = {"parts": [ITEMS[0], ITEMS[0]], "weights": [1.0, -1.0]}
    answer = client.post("/embed", json={"inputs": [fused], "on_error": "report"})
    assert answer.json()["data"][0]["error"]["pointer"] == "/inputs/0"
    assert client.post("/embed", json={"inputs": [fused]}).status_code == 422


def test_fail_names_every_bad_item(client: httpx.Client) -> None:
    items = [ITEMS[0], {"image": "AAAA"}, ITEMS[2], {"audio": "AAAA"}, {"image": "%"}]
    answer = client.post("/embed", json={"inputs": items})
    assert answer.status_code == 422
    found = {error["pointer"]: error["code"] for error in answer.json()["errors"]}
    assert found == {
        "/inputs/1/image": "unreadable_image",
        "/inputs/3/audio": "unreadable_audio",
        "/inputs/4/image": "invalid_base64",
    }


def test_report_answers_the_good_items(client: httpx.Client) -> None:
    items = [ITEMS[0], {"image": "AAAA"}, ITEMS[2]]
    data = client.post("/embed", json={"inputs": items, "on_error": "report"}).json()["data"]
    assert [("embedding" in datum, "error" in datum) for datum in data] == [(True, False), (False, True), (True, False)]
    assert data[1]["error"]["code"] == "unreadable_image"
    alone = vectors(client.post("/embed", json={"inputs": [ITEMS[2]]}))
    np.testing.assert_allclose(data[2]["embedding"], alone[0], atol=1e-5)


def test_empty_text_is_answered_like_the_reference_does(client: httpx.Client) -> None:
    assert vectors(client.post("/embed", json={"inputs": [{"text": ""}]})).shape[0] == 1


def test_the_stages_and_the_request_id_come_back(client: httpx.Client) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-Id": "order-42", "traceparent": trace}
    answer = client.post("/embed", json={"inputs": ITEMS}, headers=headers)
    assert answer.headers["x-request-id"] == "order-42"
    assert answer.headers["traceparent"] == trace
    stages = dict(re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["server-timing"]))
    assert stages.keys() == {"read", "decode", "queue", "infer", "encode"}
    assert float(stages["infer"]) > 0


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\tb"])
def test_a_bad_request_id_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.get("/health/live", headers={"X-Request-Id": given.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_bad_traceparent_is_not_passed_on(client: httpx.Client) -> None:
    answer = client.get("/health/live", headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
    assert "traceparent" not in answer.headers


def test_the_numbers_are_finite(client: httpx.Client) -> None:
    assert all(math.isfinite(x) for x in vectors(client.post("/embed", json={"inputs": ITEMS})).ravel())
