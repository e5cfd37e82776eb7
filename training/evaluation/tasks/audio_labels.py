"""The trained head for sounds: top-1 and mean average precision of its probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation.dataset import DataError, Labelled
from training.evaluation.model import EvaluatedModel, Refusal
from training.evaluation.tasks.class_scores import accuracies, average_precisions, confusion, rankings
from training.evaluation.tasks.gathering import sort_answers, with_progress
from training.evaluation.tasks.result import Result, TaskOptions, require_items

NAMED_AT_MOST = 5


class HeadLacksLabels(DataError):
    """The trained head knows other labels than the data."""


def run(model: EvaluatedModel, data: Labelled, options: TaskOptions) -> Result:  # noqa: ARG001 (as all tasks)
    """Top-1 and top-5 where each sound has one label, and mAP; over the data's classes only.

    Raises:
        HeadLacksLabels: the head was trained on other labels.
        DataError: no file is usable.
        NotServed: the repository has no such head.
        ModelError: the model can't be asked.
    """
    require_items(data.items, "sounds")
    paths = [item.path for item in data.items]
    answers = list(with_progress(model.label_sounds(paths), len(paths), "sounds"))
    kept, refused = sort_answers(paths, answers)
    require_items(kept, "sounds")
    items = [data.items[number] for number in kept]
    scores = _scores([answer for answer in answers if not isinstance(answer, Refusal)], data)
    metrics = (accuracies(scores, items) if data.exclusive else {}) | average_precisions(scores, items)
    return Result(
        title="sound → label, trained head",
        count=len(items),
        metrics=metrics,
        missing=data.missing,
        refused=refused,
        details={"classes": len(data.classes)},
        rankings=rankings(scores, items, data),
        confusion=confusion(scores, items, data),
    )


def _scores(answers: list[dict[str, float]], data: Labelled) -> NDArray[np.float64]:
    """Probabilities [N, C] in the order of the data's classes; 0 for one that no file has and the head lacks."""
    labels = {plain(label): label for label in answers[0]}
    occurring = sorted({number for item in data.items for number in item.labels})
    lacking = [data.classes[number] for number in occurring if plain(data.classes[number]) not in labels]
    if lacking:
        named = ", ".join(f"'{name}'" for name in lacking[:NAMED_AT_MOST])
        more = len(lacking) - NAMED_AT_MOST
        raise HeadLacksLabels(f"the trained head has no label {named}" + (f" and {more} more" if more > 0 else ""))
    own = [labels.get(plain(name), "") for name in data.classes]
    return np.asarray([[answer.get(label, 0.0) for label in own] for answer in answers], dtype=np.float64)


def plain(label: str) -> str:
    """A label without what files write differently: FSD50K has "Electric_guitar" for "electric guitar"."""
    return " ".join(label.replace("_", " ").lower().split())
