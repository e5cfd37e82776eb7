"""Long clips in windows, over a real socket: each window against the file that holds just that part."""

from __future__ import annotations

import asyncio
import io

import httpx
import numpy as np
import pyarrow as pa
import pytest
import soundfile

from tests.repository import REPOSITORY
from tests.service.live_server import live_server
from tests.service.media_files import clip, encode_clip, encoded
from tests.service.test_bad_input import MIB

RATE = 16_000
SECONDS = 23.4
LONG = clip(7, SECONDS)
SPANS = [(0.0, 10.0), (5.0, 15.0), (10.0, 20.0), (15.0, SECONDS)]
WINDOWS = {"seconds": 10, "hop": 5}


def part(start: float, end: float) -> bytes:
    samples, rate = soundfile.read(io.BytesIO(LONG), dtype="int16")
    return encode_clip(samples[round(start * rate) : round(end * rate)], rate)


def spans(windows: list[dict[str, float]]) -> list[tuple[float, float]]:
    return [(window["start"], window["end"]) for window in windows]


def embed(client: httpx.Client, *items: dict[str, object], **options: object) -> list[dict[str, object]]:
    answer = client.post("/embed", json={"inputs": list(items), **options})
    assert answer.status_code == 200, answer.text
    data: list[dict[str, object]] = answer.json()["data"]
    return data


def test_each_window_is_the_vector_of_that_part_and_the_whole_is_their_weighted_mean(client: httpx.Client) -> None:
    (whole,) = embed(client, {"audio": encoded(LONG)}, windows=WINDOWS)
    windows = whole["windows"]
    assert spans(windows) == SPANS  # type: ignore[arg-type]
    vectors = np.array([window["embedding"] for window in windows])  # type: ignore[attr-defined]
    alone = embed(client, *({"audio": encoded(part(*span))} for span in SPANS))
    np.testing.assert_allclose(vectors, [datum["embedding"] for datum in alone], atol=1e-5)
    mean = np.array([end - start for start, end in SPANS]) @ vectors
    np.testing.assert_allclose(whole["embedding"], mean / np.linalg.norm(mean), atol=1e-5)
    assert whole["input"] == {"seconds": SECONDS, "used_seconds": SECONDS, "sample_rate_hz": RATE}


def test_another_rate_is_resampled_before_it_is_cut(client: httpx.Client) -> None:
    (whole,) = embed(client, {"audio": encoded(clip(3, 12.0, 44_100))}, windows={"seconds": 6})
    assert spans(whole["windows"]) == [(0.0, 6.0), (6.0, 12.0)]  # type: ignore[arg-type]
    (first,) = embed(client, {"audio": encoded(clip(3, 6.0, 44_100))})
    assert np.dot(first["embedding"], whole["windows"][0]["embedding"]) > 0.999  # type: ignore[index]


@pytest.mark.parametrize(
    ("seconds", "windows", "expected"),
    [
        (3.0, {"seconds": 10, "hop": 5}, [(0.0, 3.0)]),
        (10.0, {"seconds": 10, "hop": 5}, [(0.0, 10.0)]),
        (15.0, {"seconds": 10, "hop": 5}, [(0.0, 10.0), (5.0, 15.0)]),
        (15.1, {"seconds": 5}, [(0.0, 5.0), (5.0, 10.0), (10.0, 15.0), (15.0, 15.1)]),
        (2.1, {"seconds": 1.5, "hop": 0.2}, [(0.0, 1.5), (0.2, 1.7), (0.4, 1.9), (0.6, 2.1)]),
    ],
)
def test_windows_begin_every_hop_until_one_reaches_the_end(
    client: httpx.Client, seconds: float, windows: dict[str, float], expected: list[tuple[float, float]]
) -> None:
    (whole,) = embed(client, {"audio": encoded(clip(1, seconds))}, windows=windows)
    assert spans(whole["windows"]) == expected  # type: ignore[arg-type]


def test_only_clips_have_windows_and_fused_items_take_the_pooled_vector(client: httpx.Client) -> None:
    text, sound = {"text": "a cow"}, {"audio": encoded(LONG)}
    fused, pooled, plain = embed(client, {"parts": [text, sound]}, sound, text, windows=WINDOWS)
    assert "windows" not in fused
    assert "windows" not in plain
    both = np.add(pooled["embedding"], plain["embedding"])  # type: ignore[arg-type]
    np.testing.assert_allclose(fused["embedding"], both / np.linalg.norm(both), atol=1e-5)


def test_labels_of_windows_are_those_of_the_parts(client: httpx.Client) -> None:
    body = {"audio": encoded(LONG), "windows": WINDOWS, "top_k": 10_000}
    answer = client.post("/audio/labels", json=body).json()
    assert spans(answer["windows"]) == SPANS
    pooled: dict[str, float] = {}
    for window, span in zip(answer["windows"], SPANS, strict=True):
        alone = client.post("/audio/labels", json={"audio": encoded(part(*span)), "top_k": 10_000}).json()
        expected = {entry["label"]: pytest.approx(entry["probability"], abs=1e-5) for entry in alone["labels"]}
        assert {entry["label"]: entry["probability"] for entry in window["labels"]} == expected
        for entry in alone["labels"]:
            share = (span[1] - span[0]) / sum(end - start for start, end in SPANS)
            pooled[entry["label"]] = pooled.get(entry["label"], 0.0) + share * entry["probability"]
    assert {entry["label"]: pytest.approx(entry["probability"], abs=1e-5) for entry in answer["labels"]} == pooled
    probabilities = [entry["probability"] for entry in answer["labels"]]
    assert probabilities == sorted(probabilities, reverse=True)


def test_multipart_takes_windows(client: httpx.Client) -> None:
    fields = [("audio", ("x", LONG)), ("window_seconds", (None, "10")), ("window_hop", (None, "5"))]
    answer = client.post("/embed", files=fields)
    assert spans(answer.json()["data"][0]["windows"]) == SPANS
    labels = client.post("/audio/labels", files=fields).json()
    assert spans(labels["windows"]) == SPANS


def test_arrow_carries_windows(client: httpx.Client) -> None:
    body = {"inputs": [{"text": "a"}, {"audio": encoded(LONG)}], "windows": WINDOWS, "encoding": ["float", "binary"]}
    accept = "application/vnd.apache.arrow.stream"
    answer = client.post("/embed", json=body, headers={"accept": accept})
    rows = pa.ipc.open_stream(answer.content).read_all()["windows"].to_pylist()
    assert rows[0] == []
    assert spans(rows[1]) == SPANS
    datum = embed(client, {"audio": encoded(LONG)}, windows=WINDOWS)[0]
    for row, window in zip(rows[1], datum["windows"], strict=True):  # type: ignore[call-overload]
        np.testing.assert_allclose(row["embedding"], window["embedding"], atol=1e-5)
        signs = np.unpackbits(np.frombuffer(row["embedding_binary"], "u1"))
        np.testing.assert_array_equal(signs, np.array(row["embedding"]) > 0)


def test_arrow_has_a_column_of_windows_whenever_they_were_asked_for(client: httpx.Client) -> None:
    def table(*items: dict[str, object], **options: object) -> pa.Table:
        body = {"inputs": list(items), "encoding": ["float", "int8", "binary"], "on_error": "report", **options}
        answer = client.post("/embed", json=body, headers={"accept": "application/vnd.apache.arrow.stream"})
        return pa.ipc.open_stream(answer.content).read_all()

    sound, text, bad = {"audio": encoded(LONG)}, {"text": "a cow"}, {"image": "AAAA"}
    with_clip, without, with_errors = (
        table(*items, windows=WINDOWS) for items in ([sound, text], [text], [bad, {"audio": "AAAA"}])
    )
    assert with_clip.schema == without.schema == with_errors.schema
    assert without["windows"].to_pylist() == [[]]
    assert with_errors["windows"].to_pylist() == [None, None]
    assert "windows" not in table(sound).column_names


@pytest.mark.parametrize(
    ("windows", "pointer"),
    [
        ({"seconds": 0.5}, "/windows/seconds"),
        ({"seconds": 15.5}, "/windows/seconds"),
        ({"seconds": -1}, "/windows/seconds"),
        ({"seconds": "10"}, "/windows/seconds"),
        ({"seconds": 1e308}, "/windows/seconds"),
        ({"hop": 5}, "/windows/seconds"),
        ({"seconds": 10, "hop": 10.5}, "/windows/hop"),
        ({"seconds": 10, "hop": 0}, "/windows/hop"),
        ({"seconds": 10, "hop": 1e-300}, "/windows/hop"),
        ({"seconds": 10, "hops": 5}, "/windows/hops"),
        ([10, 5], "/windows"),
        (10, "/windows"),
    ],
)
@pytest.mark.parametrize("path", ["/embed", "/audio/labels"])
def test_wrong_windows_are_refused_where_they_stand(
    client: httpx.Client, path: str, windows: object, pointer: str
) -> None:
    sound = encoded(clip(1))
    body = {"inputs": [{"audio": sound}]} if path == "/embed" else {"audio": sound}
    answer = client.post(path, json={**body, "windows": windows})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_too_many_windows_are_refused_before_the_sound_is_decoded(client: httpx.Client) -> None:
    inputs = [{"audio": encoded(clip(1, 100.0, 8_000))}, {"text": "a"}]
    body = {"inputs": inputs, "windows": {"seconds": 2, "hop": 0.5}, "on_error": "report"}
    data = client.post("/embed", json=body).json()["data"]
    error = data[0]["error"]
    assert (error["code"], error["pointer"]) == ("too_many_items", "/inputs/0/audio")
    assert (error["limit"], error["actual"]) == (128, 197)
    assert "embedding" in data[1]


def test_more_windows_than_the_queue_ever_holds_are_refused_with_the_limit() -> None:
    body = {"inputs": [{"audio": encoded(LONG)}] * 2, "windows": {"seconds": 2, "hop": 1}}
    with live_server(REPOSITORY, max_items=24, max_queue=24) as small:
        answer = httpx.post(small.url + "/embed", json=body)
        assert answer.status_code == 422
        assert "retry-after" not in answer.headers
        (error,) = answer.json()["errors"]
        assert (error["code"], error["limit"], error["actual"]) == ("too_many_items", 24, 46)
        alone = httpx.post(small.url + "/embed", json=body | {"inputs": body["inputs"][:1]})
        assert len(alone.json()["data"][0]["windows"]) == 23  # type: ignore[arg-type]


async def test_a_full_queue_refuses_windows_and_takes_them_later() -> None:
    body = {"inputs": [{"audio": encoded(LONG)}], "windows": {"seconds": 2, "hop": 1}}
    with live_server(REPOSITORY, max_items=24, max_queue=24) as small:
        async with httpx.AsyncClient(base_url=small.url, timeout=60) as client:
            answers = await asyncio.gather(*(client.post("/embed", json=body) for _ in range(8)))
            refused = [answer for answer in answers if answer.status_code == 429]
            assert {answer.status_code for answer in answers} == {200, 429}
            assert all(answer.headers["retry-after"] for answer in refused)
            assert (await client.post("/embed", json=body)).status_code == 200


def test_clips_hold_their_own_length_not_the_longest_that_may_be() -> None:
    """Thirty clips of five seconds are 10 MB, in windows 20 MB: with the longest for each it would be a gigabyte."""
    inputs = [{"audio": encoded(clip(i, 5.0))} for i in range(30)]
    with live_server(REPOSITORY) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        for data in (embed(client, *inputs, windows={"seconds": 2}), embed(client, *inputs, windows={"seconds": 5})):
            assert len(data) == 30


def test_windows_that_need_more_memory_than_there_ever_is_are_refused_before_the_sound_is_decoded() -> None:
    silence = encode_clip(np.zeros(600 * RATE, dtype=np.int16), form="FLAC")
    body = {"inputs": [{"audio": encoded(silence)}], "windows": {"seconds": 10, "hop": 5}}
    limits = {"max_pending_bytes": 64 * MIB, "max_body_bytes": 8 * MIB}
    with live_server(REPOSITORY, **limits) as small, httpx.Client(base_url=small.url, timeout=60) as client:
        embed(client, {"audio": encoded(clip(1))})
        before = small.resident_bytes()
        answer = client.post("/embed", json=body)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["code"], error["limit"]) == ("too_many_items", 64 * MIB)
        assert error["actual"] > 64 * MIB
        assert small.resident_bytes() - before < 24 * MIB
        fits = {"audio": encoded(encode_clip(np.zeros(200 * RATE, dtype=np.int16), form="FLAC"))}
        assert len(embed(client, fits, windows={"seconds": 10, "hop": 5})[0]["windows"]) == 39  # type: ignore[arg-type]
