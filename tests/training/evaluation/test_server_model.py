"""The server's answers are the repository's; its limits, refusals and full queues are handled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture
from training.evaluation import server_model
from training.evaluation.model import ModelError, NotServed, PhrasesInPicture, Refusal
from training.evaluation.repository_model import RepositoryModel
from training.evaluation.server_model import ServerModel

TOLERANCE = 1e-5
INFO = {"limits": {"max_items": 4, "max_body_bytes": 10_000}}


@pytest.fixture(scope="module")
def repository() -> Iterator[RepositoryModel]:
    model = RepositoryModel(REPOSITORY)
    yield model
    model.close()


@pytest.fixture
def served(server: LiveServer) -> Iterator[ServerModel]:
    model = ServerModel(server.url)
    yield model
    model.close()


def write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]


def same(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert isinstance(mine, Refusal) == isinstance(other, Refusal)
        if not isinstance(mine, Refusal):
            np.testing.assert_allclose(mine, other, atol=TOLERANCE)


def test_texts(served: ServerModel, repository: RepositoryModel) -> None:
    texts = [f"{number} cows" for number in range(70)] + ["", "ünïcödé 🐄"]
    same(list(served.embed_texts(texts)), list(repository.embed_texts(texts)))


def test_pictures_and_sounds_with_bad_ones_between(
    tmp_path: Path, served: ServerModel, repository: RepositoryModel
) -> None:
    pictures = write(tmp_path, {f"{number}.png": picture(number) for number in range(5)} | {"bad.png": b"no picture"})
    pictures.insert(2, tmp_path / "gone.png")
    sounds = write(tmp_path, {"bad.wav": b"RIFFno", "a.wav": clip(1), "b.flac": clip(2, form="FLAC")})
    for kind, paths, bad in (("image", pictures, [2, 6]), ("audio", sounds, [0])):
        ours, theirs = list(served.embed_files(kind, paths)), list(repository.embed_files(kind, paths))
        same(ours, theirs)
        assert [number for number, answer in enumerate(ours) if isinstance(answer, Refusal)] == bad


def test_boxes(tmp_path: Path, served: ServerModel, repository: RepositoryModel) -> None:
    good, bad = write(tmp_path, {"a.png": picture(1), "bad.png": b"no picture"})
    asked = [PhrasesInPicture(good, ("the cow", "left")), PhrasesInPicture(bad, ("x",)), PhrasesInPicture(good, ("y",))]
    ours = list(served.ground(asked))
    same(ours, list(repository.ground(asked)))
    assert isinstance(ours[0], np.ndarray)
    assert ours[0].shape == (2, 4)


def test_labels_are_all_of_the_heads(tmp_path: Path, served: ServerModel, repository: RepositoryModel) -> None:
    paths = write(tmp_path, {"a.wav": clip(1), "bad.wav": b"RIFFno", "b.wav": clip(2)})
    ours, theirs = list(served.label_sounds(paths)), list(repository.label_sounds(paths))
    assert isinstance(ours[1], Refusal)
    assert isinstance(theirs[1], Refusal)
    for mine, other in ((ours[0], theirs[0]), (ours[2], theirs[2])):
        assert mine == pytest.approx(other, abs=TOLERANCE)
        assert len(mine) == repository.info()["models"]["audio_labels"]["num_labels"]
        assert sum(mine.values()) == pytest.approx(1.0)


def test_info_names_the_same_model(served: ServerModel, repository: RepositoryModel) -> None:
    assert served.info()["fingerprint"] == repository.info()["fingerprint"]


Answer = Callable[[httpx.Request], httpx.Response]


def answered_by(answer: Answer) -> ServerModel:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=INFO) if request.url.path == "/info" else answer(request)

    return ServerModel("http://server", httpx.MockTransport(handle))


def embed(request: httpx.Request) -> httpx.Response:
    inputs = json.loads(request.content)["inputs"]
    return httpx.Response(200, json={"data": [{"embedding": [float(item["text"]), 1.0]} for item in inputs]})


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": f"because {code}"}, headers=headers)


def first_numbers(model: ServerModel, count: int) -> list[float]:
    return [float(vector[0]) for vector in model.embed_texts(list(map(str, range(count))))]  # type: ignore[index]


def test_batches_keep_to_the_servers_limit_and_answers_keep_their_order() -> None:
    sizes = []

    def answer(request: httpx.Request) -> httpx.Response:
        sizes.append(len(json.loads(request.content)["inputs"]))
        return embed(request)

    assert first_numbers(answered_by(answer), 30) == list(range(30))
    assert sorted(sizes) == [2, 4, 4, 4, 4, 4, 4, 4]


def test_a_full_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(server_model.time, "sleep", pauses.append)
    refusals = iter([problem(429, "queue_full", **{"Retry-After": "3"}), problem(503, "not_ready")])
    model = answered_by(lambda request: next(refusals, None) or embed(request))
    assert first_numbers(model, 2) == [0, 1]
    assert pauses == [3.0, 0.5]


def test_a_server_that_stays_full_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_model.time, "sleep", lambda _: None)
    with pytest.raises(ModelError, match="429: because queue_full"):
        first_numbers(answered_by(lambda _: problem(429, "queue_full")), 1)


def test_too_much_for_the_deadline_is_asked_in_halves() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        too_many = len(json.loads(request.content)["inputs"]) > 1
        return problem(504, "deadline_exceeded") if too_many else embed(request)

    assert first_numbers(answered_by(answer), 7) == list(range(7))
    with pytest.raises(ModelError, match="longer for one input than its deadline"):
        first_numbers(answered_by(lambda _: problem(504, "deadline_exceeded")), 3)


def test_a_file_larger_than_a_body_is_refused_here(tmp_path: Path) -> None:
    (big,) = write(tmp_path, {"big.png": bytes(20_000)})
    (answer,) = answered_by(lambda _: problem(500, "never asked")).embed_files("image", [big])
    assert isinstance(answer, Refusal)
    assert "max_body_bytes" in answer.why


def test_a_model_that_is_not_served_is_told_apart(tmp_path: Path) -> None:
    (path,) = write(tmp_path, {"a.wav": b"x"})
    model = answered_by(lambda _: problem(404, "model_not_served"))
    with pytest.raises(NotServed, match="because model_not_served"):
        list(model.label_sounds([path]))


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, json={}), httpx.Response(200, text="<html>"), httpx.Response(200, json={"limits": {}})],
)
def test_another_kind_of_server_is_an_error(answer: httpx.Response) -> None:
    with pytest.raises(ModelError):
        ServerModel("http://server", httpx.MockTransport(lambda _: answer))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "localhost:8000", "http://[", "nonsense"])
def test_nobody_there_is_an_error(url: str) -> None:
    with pytest.raises(ModelError):
        ServerModel(url)
