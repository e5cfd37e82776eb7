"""Zero-shot classification and the trained head, with answers that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.evaluation.known_model import KnownModel
from training.evaluation.dataset import DataError, Labelled, LabelledFile
from training.evaluation.model import ModelError, NotServed
from training.evaluation.prompts import check_templates, class_vectors, read_templates
from training.evaluation.tasks import audio_labels, zero_shot
from training.evaluation.tasks.result import TaskOptions

ONE = TaskOptions(templates=("{}",))


def labelled(
    files: dict[str, tuple[int, ...]], classes: tuple[str, ...], kind: str = "audio", **more: bool
) -> Labelled:
    items = tuple(LabelledFile(Path(name), labels) for name, labels in files.items())
    return Labelled(kind, items, classes, classes, **more)


def test_zero_shot_takes_the_nearest_class() -> None:
    model = KnownModel({"cow": [1, 0, 0], "dog": [0, 1, 0], "a.png": [2, 1, 0], "b.png": [1, 3, 0], "c.png": [5, 1, 0]})
    data = labelled({"a.png": (0,), "b.png": (1,), "c.png": (1,)}, ("cow", "dog"), "image")
    result = zero_shot.run(model, data, ONE)
    assert result.metrics == {"top-1": pytest.approx(2 / 3)}
    assert result.confusion is not None
    assert result.confusion.matrix.tolist() == [[1, 0], [1, 1]]
    wrong = result.rankings[2]
    assert wrong.place == 1
    assert [(answer.shown.text, answer.right) for answer in wrong.answers] == [("cow", False), ("dog", True)]


def test_zero_shot_of_several_labels_gives_map_of_the_cosines() -> None:
    model = KnownModel({"cow": [1, 0, 0], "dog": [0, 1, 0], "a": [1, 0.1, 0], "b": [0.1, 1, 0], "c": [1, 1, 0]})
    data = labelled({"a": (0,), "b": (0,), "c": (0, 1)}, ("cow", "dog"), exclusive=False)
    # cow: all relevant, 1. dog: only c, which is second after b, 1/2.
    assert zero_shot.run(model, data, ONE).metrics == {"mAP": pytest.approx(0.75)}


def test_a_class_is_the_normalised_mean_of_its_prompts() -> None:
    model = KnownModel({"a cow": [1, 0, 0], "the cow": [0, 1, 0], "a dog": [0, 0, 1], "the dog": [0, 0, 1]})
    vectors = class_vectors(model, ["cow", "dog"], ["a {}", "the {}"])
    np.testing.assert_allclose(vectors, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]], atol=1e-6)


def test_sounds_are_asked_with_the_papers_prompt() -> None:
    model = KnownModel({"This is a sound of cow": [1, 0, 0], "This is a sound of dog": [0, 1, 0], "a": [1, 0, 0]})
    assert zero_shot.run(model, labelled({"a": (0,)}, ("cow", "dog")), TaskOptions()).metrics["top-1"] == 1.0


def test_unusable_files_are_left_out_and_named() -> None:
    model = KnownModel({"cow": [1, 0, 0], "dog": [0, 1, 0], "a": [1, 0, 0]})
    result = zero_shot.run(model, labelled({"b": (0,), "a": (0,)}, ("cow", "dog")), ONE)
    assert (result.count, result.metrics["top-1"]) == (1, 1.0)
    assert [(file.path.name, file.why) for file in result.refused] == [("b", "unknown")]


def test_nothing_usable_is_an_error() -> None:
    model = KnownModel({"cow": [1, 0, 0]})
    with pytest.raises(DataError, match="every file is missing or unreadable"):
        zero_shot.run(model, labelled({"b": (0,)}, ("cow",)), ONE)


def test_a_vector_that_is_not_finite_is_an_error() -> None:
    model = KnownModel({"cow": [1, 0, 0], "a": [np.nan, 0, 0]})
    with pytest.raises(ModelError, match="not finite"):
        zero_shot.run(model, labelled({"a": (0,)}, ("cow",)), ONE)


def test_the_heads_probabilities_are_sorted_to_the_datas_classes() -> None:
    head = {
        "a": {"Dog": 0.2, "alarm clock": 0.1, "cow": 0.7},
        "b": {"Dog": 0.5, "alarm clock": 0.3, "cow": 0.2},
        "c": {"Dog": 0.1, "alarm clock": 0.8, "cow": 0.1},
    }
    data = labelled({"a": (0,), "b": (1,), "c": (2,)}, ("cow", "Alarm_clock", "dog"))
    result = audio_labels.run(KnownModel(labels=head), data, TaskOptions())
    # alarm clock: b is second after c, 1/2. dog: c has the least of three, 1/3.
    assert result.metrics == {"top-1": pytest.approx(1 / 3), "mAP": pytest.approx((1 + 1 / 2 + 1 / 3) / 3)}


def test_a_head_without_a_label_that_occurs_is_an_error() -> None:
    data = labelled({"a": (0,)}, ("cow", "dog"))
    model = KnownModel(labels={"a": {"cat": 1.0}})
    with pytest.raises(DataError, match=r"no label 'cow'$"):
        audio_labels.run(model, data, TaskOptions())


def test_no_head_is_an_error() -> None:
    with pytest.raises(NotServed):
        audio_labels.run(KnownModel(), labelled({"a": (0,)}, ("cow",)), TaskOptions())


def test_templates_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("# prompts\na {}\n\nthe {} here\n")
    assert read_templates(tmp_path / "t.txt") == ("a {}", "the {} here")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="no template"):
        read_templates(tmp_path / "empty.txt")


def test_a_template_needs_one_place() -> None:
    with pytest.raises(DataError, match="exactly once"):
        check_templates(["a photo"])
