"""Grounding: how often the model's box for a phrase overlaps the true one enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.evaluation.dataset import Box, Grounded, PhraseBox, portions, spread
from training.evaluation.metrics import accuracy_at, intersection_over_union
from training.evaluation.model import MAX_PHRASES, Corners, EvaluatedModel, ModelError, PhrasesInPicture, Refusal
from training.evaluation.tasks.gathering import sort_answers, with_progress
from training.evaluation.tasks.result import EXAMPLES, FoundBox, Result, TaskOptions, require_items

ORIENTATION_TAG = 0x0112  # EXIF; values above 4 swap width and height


def run(model: EvaluatedModel, data: Grounded, options: TaskOptions) -> Result:  # noqa: ARG001 (as all tasks)
    """Acc@0.5 and the mean IoU over all phrases.

    Raises:
        DataError: no picture is usable.
        NotServed: the repository has no grounding model.
        ModelError: the model can't be asked.
    """
    require_items(data.items, "phrases")
    asked = _by_picture(data)
    questions = [PhrasesInPicture(some[0].path, tuple(item.phrase for item in some)) for some in asked]
    answers = list(with_progress(model.ground(questions), len(questions), "pictures"))
    kept, refused = sort_answers([question.path for question in questions], answers)
    items = [item for number in kept for item in asked[number]]
    require_items(items, "pictures")
    found = np.concatenate([_in_pixels(asked[number][0].path, answers[number]) for number in kept])
    if not np.isfinite(found).all():
        raise ModelError("the model gave a box that is not finite")
    overlaps = intersection_over_union(np.asarray([item.box for item in items]), found)
    return Result(
        title="phrase → box",
        count=len(items),
        metrics={"Acc@0.5": accuracy_at(overlaps), "mean IoU": float(overlaps.mean())},
        missing=data.missing,
        refused=tuple(dict.fromkeys(refused)),
        details={"pictures": len({item.path for item in items})},
        boxes=_examples(items, found, overlaps),
    )


def _by_picture(data: Grounded) -> list[list[PhraseBox]]:
    """Phrases of one picture together, so that it is sent and decoded once."""
    pictures: dict[Path, list[PhraseBox]] = {}
    for item in data.items:
        pictures.setdefault(item.path, []).append(item)
    return [list(some) for items in pictures.values() for some in portions(items, MAX_PHRASES)]


def _in_pixels(path: Path, answer: Corners | Refusal) -> NDArray[np.float64]:
    width, height = upright_size(path)
    return np.asarray(answer) * np.asarray([width, height, width, height], dtype=np.float64)


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as the picture is meant to be seen; 0, 0 if it can't be read."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(ORIENTATION_TAG, 1) in (5, 6, 7, 8)
    except (OSError, UnidentifiedImageError):
        return 0, 0
    return (height, width) if turned else (width, height)


def _examples(
    items: list[PhraseBox], found: NDArray[np.float64], overlaps: NDArray[np.float64]
) -> tuple[FoundBox, ...]:
    return tuple(
        FoundBox(
            items[number].path, items[number].phrase, items[number].box, _box(found[number]), float(overlaps[number])
        )
        for number in spread(range(len(items)), EXAMPLES)
    )


def _box(corners: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = corners.tolist()
    return x0, y0, x1, y1
