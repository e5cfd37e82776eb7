"""From a score for every file and class to accuracy, mAP, rankings and a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.evaluation.dataset import Labelled, LabelledFile, spread
from training.evaluation.metrics import Floats, confusion_matrix, mean_average_precision, places, share_within
from training.evaluation.tasks.result import ANSWERS, EXAMPLES, Answer, Confusion, Ranking, Shown


def accuracies(scores: Floats, items: Sequence[LabelledFile]) -> dict[str, float]:
    """Top-1 and, with more than five classes, top-5 accuracy of files with one class each."""
    found = places(scores, np.asarray([item.labels[0] for item in items]))
    metrics = {"top-1": share_within(found, 1)}
    if scores.shape[1] > 5:
        metrics["top-5"] = share_within(found, 5)
    return metrics


def average_precisions(scores: Floats, items: Sequence[LabelledFile]) -> dict[str, float]:
    """Mean average precision over the classes that occur."""
    relevant = np.zeros(scores.shape, dtype=bool)
    for row, item in zip(relevant, items, strict=True):
        row[list(item.labels)] = True
    return {"mAP": mean_average_precision(relevant, scores)}


def confusion(scores: Floats, items: Sequence[LabelledFile], data: Labelled) -> Confusion | None:
    """Which class was taken for which; None when files have several."""
    if not data.exclusive:
        return None
    right = np.asarray([item.labels[0] for item in items])
    return Confusion(data.classes, confusion_matrix(right, scores.argmax(axis=1), len(data.classes)))


def rankings(scores: Floats, items: Sequence[LabelledFile], data: Labelled) -> tuple[Ranking, ...]:
    """Examples: a file and the classes that scored highest."""
    return tuple(_ranking(scores[number], items[number], data) for number in spread(range(len(items)), EXAMPLES))


def _ranking(scores: Floats, item: LabelledFile, data: Labelled) -> Ranking:
    best = np.argsort(-scores, kind="stable")[:ANSWERS].tolist()
    own = scores[list(item.labels)].max()
    answers = tuple(
        Answer(Shown("text", data.names[number]), float(scores[number]), number in item.labels) for number in best
    )
    true_names = ", ".join(data.names[label] for label in item.labels)
    others = np.delete(scores, list(item.labels))
    return Ranking((Shown(data.kind, true_names, item.path),), answers, int((others >= own).sum()))
