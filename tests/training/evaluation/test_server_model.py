"""The server's answers are the repository's; its limits, refusals and full queues are handled."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onepeace_client import RetryPolicy
from tests.client.scripted_server import (
    LIMITS,
    Answer,
    Script,
    ScriptedServer,
    always,
    give_vectors,
    problem,
    scripted_server,
    vectors,
)
from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer
from tests.service.media_files import clip, picture
from training.evaluation import server_model
from training.evaluation.dataset import MediaKind
from training.evaluation.model import ModelError, NotServed, PhrasesInPicture, Refusal
from training.evaluation.repository_model import RepositoryModel
from training.evaluation.server_model import ServerModel

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def repository() -> Iterator[RepositoryModel]:
    model = RepositoryModel(REPOSITORY)
    yield model
    model.close()


@pytest.fixture(scope="module", params=["http", "grpc"])
def served(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[ServerModel]:
    model = ServerModel(server.url if request.param == "http" else f"grpc://{server.grpc_address}")
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    retries = RetryPolicy(attempts=3, first_wait_s=0.001, longest_wait_s=0.002)
    monkeypatch.setattr(server_model, "PATIENT", replace(server_model.PATIENT, retries=retries))


@contextmanager
def answered_by(script: Script) -> Iterator[tuple[ServerModel, ScriptedServer]]:
    with scripted_server(script) as server:
        model = ServerModel(server.url)
        try:
            yield model, server
        finally:
            model.close()


def test_a_full_server_is_asked_again(impatient: None) -> None:
    refusals = [problem(429, "queue_full"), problem(503, "not_ready")]
    with answered_by(lambda number, body: refusals[number] if number < 2 else vectors(body)) as (model, server):
        (vector,) = model.embed_texts(["a"])
        assert isinstance(vector, np.ndarray)
        assert len(server.posts) == 3


def test_a_server_that_stays_full_is_an_error(impatient: None) -> None:
    with answered_by(always(problem(429, "queue_full"))) as (model, _), pytest.raises(ModelError, match="queue_full"):
        list(model.embed_texts(["a"]))


def test_calls_run_side_by_side_and_few_begin_before_they_are_wanted() -> None:
    def script(number: int, body: bytes) -> Answer:
        return replace(vectors(body), after_s=0.02)

    with answered_by(script) as (model, server):
        answers = model.embed_texts(["a"] * 32 * 20)
        next(answers)
        assert len(server.posts) <= (server_model.CALLS_AT_ONCE + 1) * 32 / LIMITS["max_items"]
        assert len(list(answers)) == 32 * 20 - 1
        assert server.most_under_way > 1


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_a_file_larger_than_a_body_is_refused(kind: MediaKind, tmp_path: Path) -> None:
    big, small = write(tmp_path, {"big": bytes(2 * LIMITS["max_body_bytes"]), "small": b"x"})
    with answered_by(give_vectors) as (model, _):
        refused, vector = model.embed_files(kind, [big, small])
    assert isinstance(refused, Refusal)
    assert "larger" in refused.why
    assert isinstance(vector, np.ndarray)


def test_a_file_larger_than_a_body_is_refused_by_heads(served: ServerModel, tmp_path: Path) -> None:
    (big,) = write(tmp_path, {"big": bytes(9 * 1024 * 1024)})
    for answers in (served.ground([PhrasesInPicture(big, ("x",))]), served.label_sounds([big])):
        (answer,) = answers
        assert isinstance(answer, Refusal)
        assert "larger" in answer.why


def test_a_model_that_is_not_served_is_told_apart(tmp_path: Path) -> None:
    (path,) = write(tmp_path, {"a.wav": b"x"})
    with answered_by(always(problem(404, "model_not_served"))) as (model, _):
        with pytest.raises(NotServed):
            list(model.label_sounds([path]))
        with pytest.raises(NotServed):
            list(model.embed_texts(["a"]))


def test_a_text_that_can_not_be_sent_is_an_error() -> None:
    with answered_by(give_vectors) as (model, _), pytest.raises(ModelError, match="surrogate"):
        list(model.embed_texts(["\ud800"]))


@pytest.mark.parametrize("info", [b"{}", b"<html>", b'{"limits": {}}'])
def test_another_kind_of_server_is_an_error(info: bytes) -> None:
    with scripted_server(give_vectors, info) as server, pytest.raises(ModelError, match="none of this API"):
        ServerModel(server.url)


def test_nobody_there_is_an_error(impatient: None) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ModelError, match="unreachable"):
        ServerModel(url)


@pytest.mark.parametrize("url", ["localhost:8000", "http://[", "nonsense"])
def test_what_is_no_address_is_an_error(url: str) -> None:
    with pytest.raises(ModelError, match="--server"):
        ServerModel(url)
