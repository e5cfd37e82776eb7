"""Traces as a collector gets them, over a socket: who is whose parent, across batches and to Triton."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import grpc
import httpx
import numpy as np
import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra `otel`")

from service.batching.batcher import Batcher, BatchPolicy
from service.batching.row_queue import Priority
from service.metrics import Metrics
from service.otlp import OtlpTracer
from service.repository import read_repository
from service.rpc.generated import onepeace_pb2 as pb
from service.settings import SettingsError, load_settings
from service.tracer_choice import build_tracer
from tests.repository import REPOSITORY
from tests.service.engine.triton.asked import engine_for, ready
from tests.service.engine.triton.fake_triton import FakeTriton, serving
from tests.service.live_server import live_server
from tests.service.media_files import picture
from tests.service.otlp_collector import attributes_of, collecting

EMBED = "/onepeace.v1.OnePeaceService/Embed"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER, INTERNAL, CLIENT = 2, 1, 3  # kinds of spans in OTLP
ERROR = 2  # a status in OTLP


def test_rest_and_grpc_requests_are_traced_from_the_callers_span_to_the_engine() -> None:
    with collecting() as collector:
        with live_server(REPOSITORY, otlp_endpoint=collector.url) as server:
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=x"}
            answer = httpx.post(server.url + "/embed", files={"image": ("x", picture())}, headers=headers)
            assert answer.status_code == 200
            assert answer.headers["traceparent"] == headers["traceparent"]
            httpx.get(server.url + "/health/ready")
            httpx.get(server.url + "/metrics")
            with grpc.insecure_channel(server.grpc_address) as channel:
                request = pb.EmbedRequest(inputs=[pb.Item(text="a cow")]).SerializeToString()
                embed = channel.unary_unary(EMBED)
                embed(request, metadata=(("traceparent", headers["traceparent"]),))
            server.terminate()
            server.process.wait(30)
        assert collector.paths == {"/v1/traces"}
        assert collector.resources[0]["service.name"] == "onepeace"
        for name, model in (("/embed", "image"), (EMBED, "text")):
            root = collector.one(name)
            assert (root.trace_id.hex(), root.parent_span_id.hex(), root.kind) == (TRACE, PARENT, SERVER)
            assert attributes_of(root)["http.response.status_code"] == 200
            steps = collector.children(root)
            assert steps.keys() == {"read", "decode", "queue", "infer", "encode", f"batch {model}"}
            batch = steps[f"batch {model}"]
            assert attributes_of(batch)["onepeace.rows"] == 1
            assert [link.span_id for link in batch.links] == [root.span_id]
            assert [link.span_id for link in steps["infer"].links] == [batch.span_id]
            for step in steps.values():
                assert root.start_time_unix_nano <= step.start_time_unix_nano <= step.end_time_unix_nano
                assert step.end_time_unix_nano <= root.end_time_unix_nano
            order = [steps[stage].start_time_unix_nano for stage in ("read", "decode", "queue", "infer", "encode")]
            assert order == sorted(order)
        roots = {span.name for span in collector.spans if span.kind == SERVER}
        assert roots == {"/embed", EMBED}, "probes are not traced"
        assert collector.one("/embed").trace_state == "vendor=x"


def test_of_a_long_stream_only_the_first_items_are_traced() -> None:
    items = [pb.StreamItem(id=str(number), item=pb.Item(text="a cow")) for number in range(300)]
    requests = [pb.EmbedStreamRequest(items=[item]).SerializeToString() for item in items]
    with (
        collecting() as collector,
        live_server(REPOSITORY, otlp_endpoint=collector.url, otlp_sample_ratio=1.0) as server,
    ):
        with grpc.insecure_channel(server.grpc_address) as channel:
            stream = channel.stream_stream("/onepeace.v1.OnePeaceService/EmbedStream")
            assert len(list(stream(iter(requests)))) == len(requests)
        server.terminate()
        server.process.wait(30)
    decoded = [span for span in collector.spans if span.name == "decode"]
    assert len(decoded) == 64


def test_a_failed_request_is_marked_and_an_unsampled_one_is_not_sent() -> None:
    with collecting() as collector:
        with live_server(REPOSITORY, otlp_endpoint=collector.url, otlp_sample_ratio=0.0, deadline_ms=1) as server:
            unsampled = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
            for headers in ({}, unsampled):
                httpx.post(server.url + "/embed", files={"image": ("x", picture(0, (2000, 2000)))}, headers=headers)
            sampled = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            late = httpx.post(server.url + "/embed", files={"image": ("x", picture(0, (2000, 2000)))}, headers=sampled)
            assert late.status_code == 504
            server.terminate()
            server.process.wait(30)
        root = collector.one("/embed")
        assert root.status.code == ERROR
        assert attributes_of(root)["error.type"] == "deadline_exceeded"


async def test_a_batch_links_to_its_requests_and_triton_gets_its_context() -> None:
    models = {"text": read_repository(REPOSITORY)["text"]}
    fake = FakeTriton(models)
    with collecting() as collector:
        tracer = OtlpTracer(collector.url, 1.0)
        async with serving(fake) as port, engine_for(models, port) as (engine, _):
            await ready(engine, True)
            batcher = Batcher(engine, BatchPolicy("text", 8, 1, (4,)), max_queue=10, observer=Metrics())
            spans = [tracer.begin(time.perf_counter(), None, None) for _ in range(2)]
            row = {"tokens": np.array([4, 3], dtype=np.int64)}
            jobs = [batcher.submit([(row, 2)], Priority.INTERACTIVE, span=span) for span in (*spans, None)]
            await asyncio.gather(*jobs)
        for span in spans:
            assert span is not None
            span.end({}, name="request")
        await tracer.close()
    assert fake.attempts == [3], "one batch"
    first, second = (span for span in collector.spans if span.name == "request")
    batch, call = collector.one("batch text"), collector.one("ModelInfer")
    assert (batch.parent_span_id, batch.kind) == (first.span_id, INTERNAL)
    assert [link.span_id for link in batch.links] == [first.span_id, second.span_id]
    assert first.trace_id != second.trace_id
    assert (call.parent_span_id, call.trace_id, call.kind) == (batch.span_id, first.trace_id, CLIENT)
    assert attributes_of(call)["server.address"] == f"127.0.0.1:{port}"
    (sent,) = fake.traceparents
    assert sent.startswith(f"00-{call.trace_id.hex()}-{call.span_id.hex()}-")
    assert int(sent[-2:], 16) & 1, "sampled"


async def test_a_collector_that_is_away_delays_the_end_by_little_and_no_request() -> None:
    tracer = OtlpTracer("http://127.0.0.1:1", 1.0)
    span = tracer.begin(time.perf_counter(), None, None)
    assert span is not None
    span.end({})
    async with asyncio.timeout(10):
        await tracer.close()


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, 0), (1.0, 1000), (0.3, 300)])
def test_requests_without_a_decision_are_traced_at_the_ratio(ratio: float, expected: int) -> None:
    tracer = OtlpTracer("http://127.0.0.1:1", ratio)
    begun = [tracer.begin(time.perf_counter(), None, None) for _ in range(1000)]  # never ended, so never sent
    assert abs(sum(span is not None for span in begun) - expected) <= (100 if 0 < ratio < 1 else 0)


def test_without_an_endpoint_nothing_is_traced_and_no_sdk_loaded() -> None:
    assert build_tracer(load_settings({})) is None
    known = "('opentelemetry.sdk', 'opentelemetry.exporter')"  # FastAPI loads the API where it is installed
    code = f"import sys, service.server; print([name for name in sys.modules if name.startswith({known})])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://x", "http://", "http://a b"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="OTLP_ENDPOINT"):
        load_settings({"otlp_endpoint": endpoint})


def test_without_the_extra_the_setting_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "service.otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match="the extra 'otel'"):
        build_tracer(load_settings({"otlp_endpoint": "http://localhost:4318"}))
