"""Boxes in pixels of the upright picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.training.evaluation.known_model import KnownModel
from training.evaluation.dataset import Grounded, PhraseBox
from training.evaluation.model import MAX_PHRASES, ModelError
from training.evaluation.tasks import grounding
from training.evaluation.tasks.result import TaskOptions


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (100, 50)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_fractions_are_held_against_pixels(picture: Path) -> None:
    boxes = {"left": [0, 0, 0.5, 1], "right": [0, 0, 0.5, 1], "crossed": [0.5, 0, 0, 1]}
    data = Grounded(
        (
            PhraseBox(picture, "left", (0, 0, 50, 50)),
            PhraseBox(picture, "right", (50, 0, 100, 50)),
            PhraseBox(picture, "crossed", (0, 0, 50, 50)),
            PhraseBox(picture, "left", (0, 0, 100, 50)),
        )
    )
    result = grounding.run(KnownModel(boxes=boxes), data, TaskOptions())
    assert result.metrics == {"Acc@0.5": 0.5, "mean IoU": pytest.approx((1 + 0 + 0 + 0.5) / 4)}
    assert result.boxes[0].found_box == (0.0, 0.0, 50.0, 50.0)


def test_many_phrases_of_one_picture_are_all_asked(picture: Path) -> None:
    count = MAX_PHRASES + 3
    items = tuple(PhraseBox(picture, str(number), (0, 0, 100, 50)) for number in range(count))
    model = KnownModel(boxes={str(number): [0, 0, 1, 1] for number in range(count)})
    assert grounding.run(model, Grounded(items), TaskOptions()).count == count


def test_a_refused_picture_is_left_out_with_its_phrases(picture: Path) -> None:
    data = Grounded((PhraseBox(Path("b.png"), "what", (0, 0, 1, 1)), PhraseBox(picture, "all", (0, 0, 100, 50))))
    result = grounding.run(KnownModel(boxes={"all": [0, 0, 1, 1]}), data, TaskOptions())
    assert (result.count, result.metrics["Acc@0.5"], len(result.refused)) == (1, 1.0, 1)


def test_a_box_that_is_not_finite_is_an_error(picture: Path) -> None:
    with pytest.raises(ModelError, match="not finite"):
        grounding.run(
            KnownModel(boxes={"a": [float("nan"), 0, 1, 1]}),
            Grounded((PhraseBox(picture, "a", (0, 0, 1, 1)),)),
            TaskOptions(),
        )


def test_a_turned_picture_is_measured_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 50))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90°
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert grounding.upright_size(tmp_path / "a.jpg") == (50, 100)
