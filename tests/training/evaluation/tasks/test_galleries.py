"""Retrieval, sound to picture, and fused queries, with vectors that can be compared by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.evaluation.known_model import KnownModel
from training.evaluation.dataset import Captioned, CaptionedFile, DataError, Paired, TaggedFile
from training.evaluation.model import ModelError
from training.evaluation.tasks import composed, cross, retrieval
from training.evaluation.tasks.result import TaskOptions


def test_retrieval_counts_both_directions() -> None:
    model = KnownModel(
        {"a.png": [1, 0, 0], "b.png": [0, 1, 0], "a cow": [0, 1, 0.2], "the cow": [3, 1, 0], "a dog": [1, 2, 0]}
    )
    data = Captioned(
        "image", (CaptionedFile(Path("a.png"), ("a cow", "the cow")), CaptionedFile(Path("b.png"), ("a dog",)))
    )
    metrics = retrieval.run(model, data, TaskOptions()).metrics
    # a.png finds "the cow" first: a hit, though "a cow" is last. b.png finds "a cow" first, not its own "a dog".
    assert metrics["picture → text R@1"] == 0.5
    # "a cow" lies nearer to b.png; the other two texts find their pictures.
    assert metrics["text → picture R@1"] == pytest.approx(2 / 3)
    assert metrics["picture → text R@5"] == metrics["text → picture R@5"] == 1.0


def test_a_caption_that_two_pictures_share_is_asked_once() -> None:
    model = KnownModel({"a.png": [1, 0, 0], "b.png": [0, 1, 0], "a cow": [1, 0.1, 0], "a dog": [0, 1, 0]})
    files = (CaptionedFile(Path("a.png"), ("a cow",)), CaptionedFile(Path("b.png"), ("a cow", "a dog")))
    metrics = retrieval.run(model, Captioned("image", files), TaskOptions()).metrics
    assert model.asked.count("a cow") == 1
    # Of three captions, the "a cow" of b.png finds a.png. a.png's own caption is tied with the same one of b.png.
    assert metrics["text → picture R@1"] == pytest.approx(2 / 3)
    assert metrics["picture → text R@1"] == 0.5


def test_a_caption_that_cant_be_embedded_is_an_error() -> None:
    data = Captioned("audio", (CaptionedFile(Path("a"), ("cow",)),))
    with pytest.raises(ModelError, match="'cow' could not be embedded"):
        retrieval.run(KnownModel({"a": [1, 0, 0]}), data, TaskOptions())


def tagged(**labels: str) -> tuple[TaggedFile, ...]:
    return tuple(TaggedFile(Path(name), label) for name, label in labels.items())


def test_cross_ranks_one_picture_for_each_shared_label() -> None:
    model = KnownModel(
        {"p1": [1, 0, 0], "p2": [0, 1, 0], "p3": [0, 0, 1], "s1": [1, 0.5, 0], "s2": [1, 0.5, 0], "ring": [1, 0, 0]}
    )
    data = Paired(tagged(p1="cow", p2="dog", p3="cat", ring="ring"), tagged(s1="cow", s2="dog"))
    result = cross.run(model, data, TaskOptions(galleries=3))
    assert result.details["gallery_size"] == 2  # cat and ring are not heard
    assert (result.metrics["R@1"], result.metrics["R@5"]) == (0.5, 1.0)


def test_a_limit_makes_no_gallery_easier() -> None:
    model = KnownModel({"p1": [1, 0, 0], "p2": [0, 1, 0], "s1": [1, 0.5, 0]})
    data = Paired(tagged(p1="cow", p2="dog"), tagged(s1="cow", s2="dog")).limited(1)
    result = cross.run(model, data, TaskOptions(galleries=1))
    assert (result.count, result.details["gallery_size"]) == (1, 2)


def test_cross_needs_shared_labels() -> None:
    with pytest.raises(DataError, match="no labels that pictures and sounds share"):
        cross.run(KnownModel(), Paired(tagged(p="cow"), tagged(s="dog")), TaskOptions())


THINGS, COLOURS = [f"thing {number}" for number in range(14)], ["blue", "green", "red"]


def coloured_things() -> tuple[KnownModel, Paired]:
    """A perfect model: a picture is its thing's axis plus its colour's."""
    size = len(THINGS) + len(COLOURS)
    axes = np.eye(size)
    vectors = {colour: axes[len(THINGS) + number] for number, colour in enumerate(COLOURS)}
    pictures, sounds = [], []
    for number, thing in enumerate(THINGS):
        vectors[f"{thing}.wav"] = axes[number]
        sounds.append(TaggedFile(Path(f"{thing}.wav"), thing))
        for colour in COLOURS:
            vectors[f"{colour} {thing}.png"] = axes[number] + vectors[colour]
            pictures.append(TaggedFile(Path(f"{colour} {thing}.png"), f"{colour} {thing}"))
    return KnownModel(vectors), Paired(tuple(pictures), tuple(sounds))


def test_only_sound_and_text_together_find_the_picture() -> None:
    model, data = coloured_things()
    result = composed.run(model, data, TaskOptions(galleries=2))
    assert result.details["gallery_size"] == 12 * 3
    assert result.count == 2 * 36
    # Alone, the right picture is tied with those of the other colours, or things; ties count against the model.
    assert result.metrics == {"sound + text R@1": 1.0, "sound alone R@1": 0.0, "text alone R@1": 0.0}
    assert [shown.kind for shown in result.rankings[0].query] == ["audio", "text"]


def test_galleries_depend_on_the_seed_only() -> None:
    model, data = coloured_things()
    first, again, other = (composed.run(model, data, TaskOptions(seed=seed, galleries=1)) for seed in (1, 1, 2))
    assert first.rankings == again.rankings != other.rankings


def test_the_sounds_weight_counts() -> None:
    sound, text = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    np.testing.assert_allclose(composed.fuse(sound, text, 3.0), [[3 / 10**0.5, 1 / 10**0.5]], rtol=1e-6)


def test_a_huge_weight_leaves_the_sound_alone() -> None:
    sound, text = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(composed.fuse(sound, text, 1e308), sound)


def test_composed_needs_things_in_every_colour() -> None:
    data = Paired(tagged(p="red cow", q="blue dog"), tagged(s="cow"))
    with pytest.raises(DataError, match="seen in every colour"):
        composed.run(KnownModel(), data, TaskOptions())
