"""`/metrics`: what is counted, in which form, and that no caller can make series."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import grpc
import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from service.context import Stages, Tally
from service.errors import ServiceError, error_classes, rejection_reason
from service.metrics import Metrics
from service.rpc.generated import onepeace_pb2 as pb
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture
from tests.service.metric_values import value
from tests.service.waiting import until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
EMBED = "/onepeace.v1.OnePeaceService/Embed"


@pytest.fixture(scope="module")
def watched() -> Iterator[LiveServer]:
    with live_server(REPOSITORY, max_items=16, max_body_bytes=256 * 1024) as running:
        yield running


@pytest.fixture(scope="module")
def caller(watched: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=watched.url, timeout=60.0) as opened:
        yield opened


def test_both_formats_parse_and_follow_the_conventions(caller: httpx.Client) -> None:
    caller.post("/embed", json={"inputs": [{"text": "a cow"}]})
    plain = caller.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    modern = caller.get("/metrics", headers={"Accept": f"{OPENMETRICS}, text/plain;q=0.5"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")
    families: list[Metric] = [*parse_text(plain.text), *parse_openmetrics(modern.text)]
    own = [family for family in families if family.name.startswith("onepeace_")]
    assert len(own) > 40
    for family in own:
        assert family.documentation
        assert family.type != "counter" or all(sample.name.endswith("_total") for sample in family.samples)
        assert "_ms" not in family.name
        assert "milli" not in family.name
    assert {"process_resident_memory_bytes", "process_open_fds"} <= {family.name for family in families}


def test_durations_have_buckets_from_half_a_millisecond_to_ten_seconds(caller: httpx.Client) -> None:
    (family,) = [
        one for one in parse_text(caller.get("/metrics").text) if one.name == "onepeace_stage_duration_seconds"
    ]
    bounds = {float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels}
    assert min(bounds) == 0.0005
    assert sorted(bounds)[-2:] == [10.0, float("inf")]
    stages = {sample.labels["stage"] for sample in family.samples}
    assert stages == {"read", "fetch", "decode", "queue", "infer", "encode"}


def test_a_lone_request_is_timed_finer_than_a_millisecond(caller: httpx.Client) -> None:
    before = value(caller, "onepeace_request_duration_seconds_sum", endpoint="/info")
    caller.get("/info")
    spent_s = value(caller, "onepeace_request_duration_seconds_sum", endpoint="/info") - before
    assert spent_s > 0
    assert (spent_s * 1000) % 1 > 1e-6, "the event loop's clock has whole milliseconds"


def test_requests_are_counted_by_the_dearest_modality_that_they_hold(caller: httpx.Client) -> None:
    name, image, audio = "onepeace_modality_duration_seconds_count", encoded(picture()), encoded(clip())
    before = {m: value(caller, name, modality=m, outcome="ok") for m in ("text", "image", "audio")}
    caller.post("/embed", json={"inputs": [{"text": "a cow"}]})
    caller.post("/embed", json={"inputs": [{"text": "a cow"}, {"image": image}]})
    caller.post("/ground", json={"image": image, "phrases": ["a cow"]})
    caller.post(
        "/similarity", json={"queries": [{"text": "a cow"}, {"image": image}], "candidates": [{"audio": audio}]}
    )
    caller.post("/audio/labels", json={"audio": audio})
    after = {m: value(caller, name, modality=m, outcome="ok") for m in before}
    assert {m: after[m] - before[m] for m in before} == {"text": 1, "image": 2, "audio": 2}


def test_items_are_counted_over_both_wires(caller: httpx.Client, watched: LiveServer) -> None:
    before = value(caller, "onepeace_items_total", modality="text")
    caller.post("/embed", json={"inputs": [{"text": "a"}, {"parts": [{"text": "b"}, {"text": "c"}]}]})
    with grpc.insecure_channel(watched.grpc_address) as channel:
        channel.unary_unary(EMBED)(pb.EmbedRequest(inputs=[pb.Item(text="d")]).SerializeToString())
        request = pb.EmbedStreamRequest(items=[pb.StreamItem(id="1", item=pb.Item(text="e"))])
        stream = channel.stream_stream("/onepeace.v1.OnePeaceService/EmbedStream")
        assert len(list(stream(iter([request.SerializeToString()])))) == 1
    assert value(caller, "onepeace_items_total", modality="text") - before == 5


@pytest.mark.parametrize("on_error", ["fail", "report"])
def test_what_could_not_be_decoded_is_counted_by_modality_and_reason(caller: httpx.Client, on_error: str) -> None:
    name, broken = "onepeace_decode_failures_total", encoded(b"no media")
    kinds = {"image": "unreadable_image", "audio": "unreadable_audio"}
    before = {kind: value(caller, name, modality=kind, reason=kinds[kind]) for kind in kinds}
    body = {"inputs": [{"image": broken}, {"audio": broken}, {"text": "a cow"}], "on_error": on_error}
    assert caller.post("/embed", json=body).status_code == (200 if on_error == "report" else 422)
    for kind, reason in kinds.items():
        assert value(caller, name, modality=kind, reason=reason) - before[kind] == 1
    not_base64 = value(caller, name, modality="image", reason="invalid_base64")
    caller.post("/ground", json={"image": "!", "phrases": ["x"]})
    assert value(caller, name, modality="image", reason="invalid_base64") - not_base64 == 1


def test_a_model_by_name_is_an_endpoint_of_its_own(caller: httpx.Client) -> None:
    assert caller.get("/v1/models/one-peace").status_code == 200
    assert caller.get("/v1/models/no/such").status_code == 404
    for status in ("200", "404"):
        assert value(caller, "onepeace_requests_total", endpoint="/v1/models/{model}", status=status) == 1


def test_a_body_that_is_too_large_is_a_rejection_with_its_reason(caller: httpx.Client) -> None:
    before = value(caller, "onepeace_rejections_total", reason="body_too_large")
    caller.post("/embed", content=b"x" * (256 * 1024 + 1), headers={"content-type": "application/json"})
    # Counted when the rest of the body is swallowed, which is after the answer.
    until(lambda: value(caller, "onepeace_rejections_total", reason="body_too_large") - before == 1)


def test_a_head_that_cant_be_read_is_counted_like_any_request(caller: httpx.Client, watched: LiveServer) -> None:
    before = [
        value(caller, "onepeace_rejections_total", reason="head_too_large"),
        value(caller, "onepeace_errors_total", code="malformed_request"),
    ]
    watched.raw(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 70_000 + b"\r\n\r\n")
    watched.raw(b"no http at all\r\n\r\n")
    assert value(caller, "onepeace_rejections_total", reason="head_too_large") - before[0] == 1
    assert value(caller, "onepeace_errors_total", code="malformed_request") - before[1] == 1
    assert value(caller, "onepeace_requests_in_flight") == 1, "this one"


def series(caller: httpx.Client) -> set[str]:
    lines = caller.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if line.startswith("onepeace_")}


def strange_requests(caller: httpx.Client, watched: LiveServer) -> str:
    """Requests with a new word in each place that a caller can write to; gives the word."""
    word = secrets.token_hex(8)
    headers = {"X-Request-Id": word, "User-Agent": word, "Host": f"{word}.example", "X-Forwarded-For": word, word: word}
    for method in ("GET", "POST", word.upper()):
        for path in (f"/{word}", f"/embed/{word}", f"/v1/models/{word}", f"/embed?{word}={word}", "/embed", "/metrics"):
            caller.request(method, path, headers=headers)
    for body in ({word: word}, {"inputs": [{"text": word}], "encoding": word}, {"inputs": [{word: word}]}):
        caller.post("/embed", json=body, headers=headers | {"Accept": word})
    caller.post("/v1/embeddings", json={"model": word, "input": word})
    caller.post("/classify", json={"input": {"text": word}, "labels": [word]})
    caller.post("/embed", files={word: (word, word.encode(), f"image/{word}")})
    watched.raw(f"{word} / HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    with grpc.insecure_channel(watched.grpc_address) as channel:
        for path in (f"/onepeace.v1.OnePeaceService/{word}", f"/{word}/Embed", EMBED):
            with pytest.raises(grpc.RpcError):
                channel.unary_unary(path)(b"\xff", metadata=((f"x-{word}", word),), timeout=10)
    return word


def test_no_caller_makes_series(caller: httpx.Client, watched: LiveServer) -> None:
    words = [strange_requests(caller, watched)]
    first = series(caller)
    words += [strange_requests(caller, watched) for _ in range(5)]
    assert series(caller) == first
    text = caller.get("/metrics").text.lower()
    assert not [word for word in words if word in text]
    assert len(first) < 2500


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_each_error_is_counted_and_only_refusals_have_a_reason(error: type[ServiceError]) -> None:
    metrics = Metrics()
    metrics.request_failed(error)
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    counted = {sample.labels["code"] for sample in samples if sample.name == "onepeace_errors_total" and sample.value}
    assert counted == {error.code}
    refused = {s.labels["reason"] for s in samples if s.name == "onepeace_rejections_total" and s.value}
    reason = rejection_reason(error)
    assert refused == ({reason} if reason else set())
    assert (reason is not None) == (error.status in {401, 403, 408, 413, 429, 431, 503, 504})


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_an_item_of_a_stream_that_fails_is_no_request_that_fails_and_no_rejection(error: type[ServiceError]) -> None:
    metrics = Metrics()
    metrics.stream_item_failed(error)
    counted = [sample for family in metrics.registry.collect() for sample in family.samples]
    names = {"onepeace_stream_item_errors_total", "onepeace_errors_total", "onepeace_rejections_total"}
    raised = [(one.name, one.labels) for one in counted if one.name in names and one.value]
    assert raised == [("onepeace_stream_item_errors_total", {"code": error.code})]


def test_the_reasons_of_rejections_tell_limits_apart() -> None:
    reasons = {rejection_reason(error) for error in error_classes()}
    assert {"queue_full", "bytes", "deadline", "draining", "starting", "engine_unavailable"} <= reasons


def test_a_new_refusal_has_its_code_as_the_reason() -> None:
    limited = type("RateLimited", (ServiceError,), {"status": 429, "code": "rate_limited"})
    assert rejection_reason(limited) == "rate_limited"


class KnownSpan:
    """A span of which only the trace counts."""

    trace_id, span_id, traceparent = "0af7651916cd43dd8448eb211c80319c", "", ""


def test_openmetrics_shows_the_trace_of_a_slow_request_as_an_exemplar() -> None:
    metrics, stages = Metrics(), Stages(span=KnownSpan())  # type: ignore[arg-type]
    metrics.request_ended("/embed", 200, 0.7, stages)
    body, _ = metrics.render(OPENMETRICS)
    buckets = [
        sample
        for family in parse_openmetrics(body.decode())
        for sample in family.samples
        if sample.name == "onepeace_request_duration_seconds_bucket" and sample.exemplar
    ]
    (bucket,) = buckets
    assert (bucket.labels["le"], bucket.exemplar.value) == ("1.0", 0.7)
    assert bucket.exemplar.labels == {"trace_id": KnownSpan.trace_id}
    assert b"trace_id" not in metrics.render("")[0]


def test_a_tally_names_the_dearest_modality() -> None:
    tally = Tally()
    assert tally.dearest == "none"
    for kind, dearest in (("embedding", "embedding"), ("text", "text"), ("audio", "audio"), ("image", "audio")):
        tally.add(kind)
        assert tally.dearest == dearest


def test_the_page_names_each_series_once_and_every_reason() -> None:
    page = (REPOSITORY.parent / "docs" / "observability.md").read_text(encoding="utf-8")
    table = page.partition("## Metrics")[2].partition("## Log")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(set(named))
    (row,) = (row for row in rows if row.startswith("| `rejections_total`"))
    words = set(re.findall(r"\w+", row))
    refusing = {error for error in error_classes() if rejection_reason(error) and error.status not in (401, 403, 429)}
    assert {rejection_reason(error) for error in refusing} <= words
