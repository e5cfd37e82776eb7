"""Scores of boxes over a real socket, against cropping and embedding by hand."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.repository import REPOSITORY
from tests.service.live_server import live_server
from tests.service.media_files import encoded, picture

SCENE = (REPOSITORY.parent / "examples" / "scene.jpg").read_bytes()
PHRASES = ["the purple bee", "a bee", "the guitar", "a train"]


def ground(client: httpx.Client, **options: object) -> httpx.Response:
    return client.post("/ground", json={"image": encoded(SCENE), "phrases": PHRASES, **options})


def test_a_score_is_the_cosine_of_the_phrase_and_the_crop(client: httpx.Client) -> None:
    upright = Image.open(io.BytesIO(SCENE)).convert("RGB")
    for box in ground(client, scores=True).json()["boxes"]:
        edges = box["box_normalized"]
        around = (
            edges["x0"] * upright.width,
            edges["y0"] * upright.height,
            edges["x1"] * upright.width,
            edges["y1"] * upright.height,
        )
        buffer = io.BytesIO()
        upright.resize((256, 256), Image.Resampling.BICUBIC, box=around).save(buffer, "PNG")
        inputs = [{"text": box["phrase"]}, {"image": encoded(buffer.getvalue())}]
        data = client.post("/embed", json={"inputs": inputs}).json()["data"]
        assert box["score"] == pytest.approx(float(np.dot(data[0]["embedding"], data[1]["embedding"])), abs=0.02)


def test_what_is_in_the_picture_scores_higher_than_what_is_not(client: httpx.Client) -> None:
    scores = {box["phrase"]: box["score"] for box in ground(client, scores=True).json()["boxes"]}
    assert min(scores["the purple bee"], scores["a bee"]) > max(scores["the guitar"], scores["a train"]) + 0.2


def test_scores_leave_the_boxes_as_they_are_and_are_given_on_request_only(client: httpx.Client) -> None:
    plain, scored = ground(client).json(), ground(client, scores=True).json()
    for one, other in zip(plain["boxes"], scored["boxes"], strict=True):
        assert "score" not in one
        assert one["box_normalized"] == pytest.approx(other["box_normalized"], abs=1e-5)


def test_multipart_takes_scores(client: httpx.Client) -> None:
    fields = [("image", ("x", SCENE)), ("phrase", (None, PHRASES[0])), ("scores", (None, "true"))]
    box = client.post("/ground", files=fields).json()["boxes"][0]
    assert box["score"] == pytest.approx(ground(client, scores=True).json()["boxes"][0]["score"], abs=1e-5)


def test_the_picture_is_decoded_once_for_all_boxes_and_once_for_all_scores(client: httpx.Client) -> None:
    """A picture that would be too slow to decode for each of a hundred phrases is answered like one of few."""
    large = picture(1, (4000, 3000))
    body = {"image": encoded(large), "phrases": ["the cow"] * 64, "scores": True}
    answer = client.post("/ground", json=body)
    assert answer.status_code == 200
    assert len({box["score"] for box in answer.json()["boxes"]}) == 1  # the same phrase is one row


def test_a_full_request_with_scores_fits_the_queue() -> None:
    with live_server(REPOSITORY, max_items=64, max_queue=64) as small, httpx.Client(base_url=small.url) as client:
        answer = ground(client, phrases=["a bee"] * 64, scores=True)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["boxes"]) == 64


def test_a_repository_without_image_model_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    repository = tmp_path_factory.mktemp("grounding-alone") / "repository"
    repository.mkdir()
    (repository / "grounding").symlink_to(REPOSITORY / "grounding")
    with live_server(repository) as server, httpx.Client(base_url=server.url) as alone:
        assert ground(alone).status_code == 200
        refused = ground(alone, scores=True)
        assert (refused.status_code, refused.json()["code"]) == (404, "model_not_served")


@pytest.mark.parametrize("scores", ["true", 1])
def test_scores_is_a_truth_value(client: httpx.Client, scores: object) -> None:
    answer = ground(client, scores=scores)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/scores"
