"""URLs in requests to a live server: what a file gives, its URL gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import trustme

from tests.repository import REPOSITORY
from tests.service.fetching.fetching_server import KIB, fetching_server, site_in_a_thread
from tests.service.fetching.public_internet import PRIVATE_HOST
from tests.service.fetching.site import HOST, Site, answer, redirect
from tests.service.live_server import live_server
from tests.service.media_files import clip, encoded, picture

BASE = f"https://{HOST}"
IMAGE, AUDIO = f"{BASE}/cow.png", f"{BASE}/moo.wav"


@pytest.fixture(scope="module")
def site(authority: trustme.CA) -> Iterator[Site]:
    with site_in_a_thread(authority) as running:
        yield running


@pytest.fixture(scope="module")
def fetching(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that fetches from the site."""
    with (
        fetching_server(site, tmp_path_factory.mktemp("authority"), max_body_bytes=1024 * KIB) as server,
        httpx.Client(base_url=server.url, timeout=60.0) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def _pages(site: Site) -> None:
    site.requests.clear()
    site.pages.clear()
    site.pages |= {"/cow.png": answer(picture(1)), "/moo.wav": answer(clip(1)), "/to-cow": redirect("/cow.png")}


def vectors(answered: httpx.Response) -> np.ndarray:
    assert answered.status_code == 200, answered.text
    return np.array([datum["embedding"] for datum in answered.json()["data"]])


def test_embed_gives_for_a_url_what_it_gives_for_the_file(fetching: httpx.Client) -> None:
    by_url = fetching.post(
        "/embed", json={"inputs": [{"image": IMAGE}, {"text": "a cow"}, {"audio": AUDIO.upper()[:8] + AUDIO[8:]}]}
    )
    by_file = {"inputs": [{"image": encoded(picture(1))}, {"text": "a cow"}, {"audio": encoded(clip(1))}]}
    np.testing.assert_allclose(vectors(by_url), vectors(fetching.post("/embed", json=by_file)), atol=1e-5)
    assert "fetch;dur=" in by_url.headers["server-timing"]
    assert 'onepeace_stage_duration_seconds_count{stage="fetch"}' in fetching.get("/metrics").text


def test_a_urls_host_learns_nothing_of_the_request(fetching: httpx.Client, site: Site) -> None:
    headers = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "X-Request-Id": "order-42",
        "Authorization": "Bearer secret",
    }
    assert fetching.post("/embed", json={"inputs": [{"image": IMAGE}]}, headers=headers).status_code == 200
    (head,) = site.requests
    sent = {line.partition(":")[0].lower() for line in head.strip().splitlines()[1:]}
    assert sent == {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize(
    ("path", "body", "media"),
    [
        ("/ground", {"phrases": ["a cow"]}, "image"),
        ("/classify", {"labels": ["cow", "dog"]}, "input"),
        ("/audio/labels", {"top_k": 3}, "audio"),
    ],
)
def test_the_other_endpoints_give_for_a_url_what_they_give_for_the_file(
    fetching: httpx.Client, path: str, body: dict[str, object], media: str
) -> None:
    url, file = (AUDIO, encoded(clip(1))) if media == "audio" else (IMAGE, encoded(picture(1)))
    items = [{"image": value} if media == "input" else value for value in (url, file)]
    by_url, by_file = (fetching.post(path, json={**body, media: item}) for item in items)
    assert by_url.status_code == 200, by_url.text
    assert by_url.json() == by_file.json()


def test_boxes_and_their_scores_take_one_fetch(fetching: httpx.Client, site: Site) -> None:
    body = {"phrases": ["a cow", "a dog"], "scores": True}
    by_url, by_file = (
        fetching.post("/ground", json={**body, "image": image}) for image in (IMAGE, encoded(picture(1)))
    )
    assert by_url.status_code == 200, by_url.text
    assert by_url.json() == by_file.json()
    assert len(site.requests) == 1
    refused = fetching.post("/ground", json={**body, "image": f"{BASE}/gone"})
    assert [(error["code"], error["pointer"]) for error in refused.json()["errors"]] == [("url_unreachable", "/image")]


def test_similarity_and_fused_items_take_urls_and_fetch_each_once(fetching: httpx.Client, site: Site) -> None:
    fused = {"parts": [{"image": IMAGE}, {"text": "a cow"}]}
    answered = fetching.post(
        "/similarity", json={"queries": [fused, {"image": IMAGE}], "candidates": [{"image": IMAGE}]}
    )
    assert answered.status_code == 200, answered.text
    assert answered.json()["similarity"][1][0] == pytest.approx(1.0, abs=1e-5)
    assert len(site.requests) == 1


def test_clips_in_windows_take_urls(fetching: httpx.Client, site: Site) -> None:
    long, windows = clip(1, 5.0), {"seconds": 2.0}
    site.pages["/moo.wav"] = answer(long)
    by_url, by_file = (
        fetching.post("/embed", json={"inputs": [{"audio": audio}], "windows": windows})
        for audio in (AUDIO, encoded(long))
    )
    np.testing.assert_allclose(vectors(by_url), vectors(by_file), atol=1e-5)
    by_url, by_file, refused = (
        fetching.post("/audio/labels", json={"audio": audio, "windows": windows})
        for audio in (AUDIO, encoded(long), f"{BASE}/gone")
    )
    assert by_url.status_code == 200, by_url.text
    assert by_url.json() == by_file.json()
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/audio"]


def test_a_redirect_within_the_list_is_followed(fetching: httpx.Client, site: Site) -> None:
    assert vectors(fetching.post("/embed", json={"inputs": [{"image": f"{BASE}/to-cow"}]})).shape[0] == 1
    assert len(site.requests) == 2


def test_each_bad_url_is_named_and_harms_no_neighbour(fetching: httpx.Client, site: Site) -> None:
    site.pages |= {"/large": answer(bytes(300 * KIB)), "/text": answer(b"not a picture")}
    bad = {
        "url_not_allowed": [
            "https://evil.test/",
            "http://media.example.org/cow.png",
            "https://127.0.0.1/",
            "https://[::1]/",
        ],
        "url_unreachable": [f"{BASE}/gone", f"{BASE}/large", f"https://{PRIVATE_HOST}/latest/meta-data/"],
        "unreadable_image": [f"{BASE}/text"],
    }
    urls = [(code, url) for code, some in bad.items() for url in some] * 2
    inputs = [{"image": IMAGE}, *({"image": url} for _, url in urls), {"text": "a cow"}]
    body = fetching.post("/embed", json={"inputs": inputs, "on_error": "report"}).json()
    assert [datum["error"]["code"] for datum in body["data"][1:-1]] == [code for code, _ in urls]
    assert [datum["error"]["pointer"] for datum in body["data"][1:-1]] == [
        f"/inputs/{i + 1}/image" for i in range(len(urls))
    ]
    assert "embedding" in body["data"][0]
    assert "embedding" in body["data"][-1]
    for datum in body["data"][1:-1]:
        assert not any(
            word in datum["error"]["detail"] for word in ("169.254", "evil", "meta-data", "127.0.0.1", "gone")
        )
    refused = fetching.post("/embed", json={"inputs": inputs})
    assert refused.status_code == 422
    assert len(refused.json()["errors"]) == len(urls)


def test_the_files_of_one_request_are_bounded_together(fetching: httpx.Client, site: Site) -> None:
    """Each has 200 KiB of at most 256; six have more than the 1024 that a body may have."""
    site.pages |= {f"/{i}": answer(picture(1) + bytes(200 * KIB)) for i in range(6)}
    body = {"inputs": [{"image": f"{BASE}/{i}"} for i in range(6)], "on_error": "report"}
    errors = [datum["error"] for datum in fetching.post("/embed", json=body).json()["data"] if "error" in datum]
    assert errors
    assert {error["code"] for error in errors} == {"url_unreachable"}
    assert {error["limit"] for error in errors} == {1024 * KIB}
    body["inputs"] = body["inputs"][:4]  # type: ignore[index]
    assert vectors(fetching.post("/embed", json=body)).shape[0] == 4


def test_info_tells_the_limits_of_urls_where_they_are_fetched(fetching: httpx.Client, client: httpx.Client) -> None:
    limits = fetching.get("/info").json()["limits"]
    assert (limits["url_max_bytes"], limits["url_timeout_ms"], limits["url_max_redirects"]) == (256 * KIB, 10_000, 3)
    assert "url_max_bytes" not in client.get("/info").json()["limits"]


def test_a_url_in_multipart_is_a_files_content_and_no_url(fetching: httpx.Client, site: Site) -> None:
    answered = fetching.post("/embed", files=[("image", ("x", IMAGE.encode()))])
    assert (answered.status_code, answered.json()["code"]) == (422, "unreadable_image")
    assert site.requests == []


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/embed", {"inputs": [{"text": "a cow"}, {"image": IMAGE}]}, "/inputs/1/image"),
        ("/embed", {"inputs": [{"parts": [{"audio": "HTTP://x"}]}]}, "/inputs/0/parts/0/audio"),
        ("/ground", {"image": IMAGE, "phrases": ["a cow"]}, "/image"),
        ("/classify", {"input": {"audio": AUDIO}, "labels": ["a", "b"]}, "/input/audio"),
        ("/audio/labels", {"audio": AUDIO}, "/audio"),
        ("/similarity", {"queries": [{"text": "a"}], "candidates": [{"image": IMAGE}]}, "/candidates/0/image"),
    ],
)
def test_by_default_urls_are_refused_and_the_setting_is_named(
    client: httpx.Client, path: str, body: dict[str, object], pointer: str
) -> None:
    answered = client.post(path, json=body)
    assert (answered.status_code, answered.json()["code"]) == (422, "url_not_allowed")
    (error,) = answered.json()["errors"]
    assert error["pointer"] == pointer
    assert "ONEPEACE_URL_FETCH=allowlist" in error["detail"]


def test_a_server_with_an_allowlist_but_without_hosts_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="needs ONEPEACE_URL_HOSTS"), live_server(REPOSITORY, url_fetch="allowlist"):
        pass
