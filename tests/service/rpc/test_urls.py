"""URLs over gRPC: fetched as for REST, in streams too, and their limits in Info."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import trustme

from tests.service.fetching.fetching_server import fetching_server, site_in_a_thread
from tests.service.fetching.site import HOST, Site, answer
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture
from tests.service.rpc.conftest import Generated
from tests.service.rpc.status import details, refused
from tests.service.rpc.test_answers import info_agrees

BASE = f"https://{HOST}"
IMAGE, AUDIO = f"{BASE}/cow.png", f"{BASE}/moo.wav"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with site_in_a_thread(trustme.CA()) as running:
        running.pages |= {"/cow.png": answer(picture(1)), "/moo.wav": answer(clip(1, 5.0))}
        yield running


@pytest.fixture(scope="module")
def fetching(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with fetching_server(site, tmp_path_factory.mktemp("authority")) as server:
        yield server


@pytest.fixture(scope="module")
def fetching_stub(fetching: LiveServer, generated: Generated) -> Iterator[Any]:
    with grpc.insecure_channel(fetching.grpc_address) as channel:
        yield generated.stub(channel)


def vector(datum: Any) -> np.ndarray:
    return np.frombuffer(datum.vector.float32, "<f4")


def test_a_url_gives_what_its_file_gives(fetching_stub: Any, pb: Any) -> None:
    by_url = [pb.Item(image_url=IMAGE), pb.Item(fused=pb.Fused(parts=[pb.Part(audio_url=AUDIO), pb.Part(text="moo")]))]
    by_file = [
        pb.Item(image=picture(1)),
        pb.Item(fused=pb.Fused(parts=[pb.Part(audio=clip(1, 5.0)), pb.Part(text="moo")])),
    ]
    given, expected = (fetching_stub.Embed(pb.EmbedRequest(inputs=items)).data for items in (by_url, by_file))
    for datum, same in zip(given, expected, strict=True):
        np.testing.assert_allclose(vector(datum), vector(same), atol=1e-5)
    boxes = [
        fetching_stub.Ground(pb.GroundRequest(**source, phrases=["a cow"], scores=True)).boxes
        for source in ({"image_url": IMAGE}, {"image": picture(1)})
    ]
    assert boxes[0] == boxes[1]
    labels = [
        fetching_stub.AudioLabels(pb.AudioLabelsRequest(**source, windows=pb.Windows(seconds=2))).windows
        for source in ({"audio_url": AUDIO}, {"audio": clip(1, 5.0)})
    ]
    assert labels[0] == labels[1]


def test_a_stream_fetches_each_items_file_once_and_names_what_is_not_there(
    fetching_stub: Any, site: Site, pb: Any
) -> None:
    site.requests.clear()
    items = [pb.Item(image_url=IMAGE), pb.Item(audio_url=AUDIO), pb.Item(image_url=f"{BASE}/gone")]
    named = [pb.StreamItem(id=str(place), item=item) for place, item in enumerate(items)]
    options = pb.EmbedOptions(windows=pb.Windows(seconds=2))
    answers = fetching_stub.EmbedStream(iter([pb.EmbedStreamRequest(items=named, options=options)]))
    found = {answer.id: answer.embedding for answer in answers}
    assert len(found["1"].windows) == 3
    assert found["0"].HasField("vector")
    assert (found["2"].error.code, found["2"].error.pointer) == ("url_unreachable", "/inputs/0/image")
    assert len(site.requests) == 3


def test_a_bad_url_is_refused_where_it_stands(fetching_stub: Any, pb: Any) -> None:
    items = [pb.Item(text="x"), pb.Item(audio_url="https://elsewhere.test/moo.wav")]
    problem = details(refused(lambda: fetching_stub.Embed(pb.EmbedRequest(inputs=items))), pb)["problem"]
    assert [(error.code, error.pointer) for error in problem.errors] == [("url_not_allowed", "/inputs/1/audio")]


def test_info_says_what_rest_says_of_urls(fetching_stub: Any, fetching: LiveServer, pb: Any) -> None:
    expected = httpx.get(fetching.url + "/info").json()
    assert "url_max_bytes" in expected["limits"]
    info_agrees(fetching_stub.Info(pb.InfoRequest()), expected)
