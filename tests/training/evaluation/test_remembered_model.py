"""Vectors are asked for once."""

from __future__ import annotations

from pathlib import Path

from tests.training.evaluation.known_model import KnownModel
from training.evaluation.model import Refusal
from training.evaluation.remembered_model import RememberedModel


def test_each_text_and_file_is_asked_once() -> None:
    known = KnownModel({"a": [1, 0, 0], "b": [0, 1, 0]})
    model = RememberedModel(known)
    first = list(model.embed_texts(["a", "b", "a"]))
    assert [answer.tolist() for answer in first] == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]  # type: ignore[union-attr]
    (refused,) = model.embed_texts(["c"])
    assert isinstance(refused, Refusal)
    list(model.embed_texts(["c", "b", "d"]))
    list(model.embed_files("image", [Path("a"), Path("x/a"), Path("a")]))
    list(model.embed_files("audio", [Path("a")]))
    assert known.asked == ["a", "b", "c", "d", "a", "a", "a"]
