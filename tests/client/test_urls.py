"""URLs instead of files: what a file gives, its URL gives, over both protocols and with both clients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import trustme

from onepeace_client import Audio, Client, Fused, Image, InvalidInput, Windows
from tests.client.callers import Caller
from tests.client.conftest import address
from tests.service.fetching.fetching_server import fetching_server, site_in_a_thread
from tests.service.fetching.site import HOST, Site, answer
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture

PICTURE, CLIP = picture(1), clip(1, 5.0)
BY_FILE = [Image(PICTURE), Audio(CLIP)]
BY_URL = [Image(f"https://{HOST}/cow.png"), Audio(f"HTTPS://{HOST}/moo.wav")]
GONE = Image(f"https://{HOST}/gone")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with site_in_a_thread(trustme.CA()) as site:
        site.pages |= {"/cow.png": answer(PICTURE), "/moo.wav": answer(CLIP)}
        yield site


@pytest.fixture(scope="module")
def fetching(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with fetching_server(site, tmp_path_factory.mktemp("authority")) as server:
        yield server


@pytest.fixture
def urls(way: tuple[str, bool], fetching: LiveServer) -> Caller:
    return Caller(address(fetching, way[0]), way[1])


async def test_embed_gives_for_a_url_what_it_gives_for_the_file(urls: Caller) -> None:
    by_url = await urls.call("embed", [*BY_URL, "a cow", Fused([*BY_URL, "a cow"])])
    by_file = await urls.call("embed", [*BY_FILE, "a cow", Fused([*BY_FILE, "a cow"])])
    np.testing.assert_allclose(by_url.vectors, by_file.vectors, atol=1e-5)
    assert by_url.inputs == by_file.inputs


async def test_a_stream_gives_for_a_url_what_it_gives_for_the_file(urls: Caller) -> None:
    by_url, by_file = [await urls.stream(items) for items in (BY_URL, BY_FILE)]
    np.testing.assert_allclose([one.vector for one in by_url], [one.vector for one in by_file], atol=1e-5)


async def test_the_other_calls_give_for_a_url_what_they_give_for_the_file(urls: Caller) -> None:
    boxes = [await urls.call("ground", one[0], ["a cow", "a dog"], scores=True) for one in (BY_URL, BY_FILE)]
    np.testing.assert_allclose(boxes[0].boxes, boxes[1].boxes, atol=1e-3)
    np.testing.assert_allclose(boxes[0].scores, boxes[1].scores, atol=1e-4)
    labels = [await urls.call("classify", one[0], ["cow", "dog"]) for one in (BY_URL, BY_FILE)]
    assert labels[0].labels == labels[1].labels
    np.testing.assert_allclose(labels[0].probabilities, labels[1].probabilities, atol=1e-5)
    heard = [await urls.call("audio_labels", one[1], 3, windows=Windows(2.0)) for one in (BY_URL, BY_FILE)]
    assert heard[0].labels == heard[1].labels
    assert [window.labels for window in heard[0].windows] == [window.labels for window in heard[1].windows]
    assert len(heard[0].windows) == 3
    cosines = (await urls.call("similarity", [BY_URL[0]], [BY_FILE[0]])).similarity
    np.testing.assert_allclose(cosines, [[1.0]], atol=1e-5)


async def test_a_url_whose_file_does_not_come_is_named_alone(urls: Caller) -> None:
    reported = await urls.call("embed", ["a", GONE, BY_URL[0]], on_error="report")
    assert {index: (one.pointer, one.code) for index, one in reported.errors.items()} == {
        1: ("/inputs/1/image", "url_unreachable")
    }
    with pytest.raises(InvalidInput) as caught:
        await urls.call("ground", GONE, ["a cow"])
    assert (caught.value.code, caught.value.errors[0].pointer) == ("url_unreachable", "/image")


def test_the_profile_has_the_stage_of_fetching(urls: Caller) -> None:
    with Client(urls.url) as client:
        client.embed(BY_URL)
        profile = client.profile()
    assert profile.stages_s["fetch"] > 0
    assert "fetch" in str(profile)


async def test_a_server_that_fetches_nothing_says_so(caller: Caller) -> None:
    with pytest.raises(InvalidInput) as caught:
        await caller.call("audio_labels", BY_URL[1])
    assert (caught.value.code, caught.value.errors[0].pointer) == ("url_not_allowed", "/audio")
