"""The measures of the tables, in numpy. All results are fractions, 0 to 1.

Ties count against the model: a candidate that scores as much as the right one stands before it. So a model that gives
the same vector for everything scores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]

QUERIES_AT_ONCE = 256
"""Rows of the cosine matrix held at once: 25,000 candidates in float32 then take 26 MB."""


def places(scores: Floats, right: Integers) -> Integers:
    """Place of the right class among all of its row, 0 the best.

    Args:
        scores: [N, C], higher is better.
        right: [N], the right class's number.

    Returns:
        int64 [N], 0 to C − 1.
    """
    _require_finite(scores)
    own = np.take_along_axis(scores, right[:, None], axis=1)
    return np.asarray((scores >= own).sum(axis=1) - 1, dtype=np.int64)


def retrieval_places(queries: Floats, gallery: Floats, relevant: Sequence[Sequence[int]]) -> Integers:
    """Place of each query's best relevant candidate among the irrelevant ones, 0 the best.

    Args:
        queries: [Q, D], L2-normalised.
        gallery: [G, D], L2-normalised.
        relevant: for each query the numbers of its candidates, at least one: a picture with five captions has five.

    Returns:
        int64 [Q]; recall@k counts those below k, which is "any relevant one among the first k".
    """
    _require_finite(queries)
    _require_finite(gallery)
    found = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        cosines = queries[start : start + QUERIES_AT_ONCE] @ gallery.T
        for number, row in enumerate(cosines, start):
            own = row[np.asarray(relevant[number], dtype=np.int64)]
            best = own.max()
            found[number] = np.count_nonzero(row >= best) - np.count_nonzero(own >= best)
    return found


def share_within(found: Integers, k: int) -> float:
    """Share of places among the first `k`: top-k accuracy of `places`, recall@k of `retrieval_places`."""
    return float(np.mean(found < k))


def intersection_over_union(ours: Floats, theirs: Floats) -> NDArray[np.float64]:
    """IoU of boxes, row by row.

    Args:
        ours: [N, 4], x0, y0, x1, y1. A box whose corners are crossed has no area.
        theirs: [N, 4] in the same unit.

    Returns:
        float64 [N], 0 to 1; 0 where neither has an area.
    """
    low = np.maximum(ours[:, :2], theirs[:, :2])
    high = np.minimum(ours[:, 2:], theirs[:, 2:])
    shared = _areas(np.concatenate([low, high], axis=1))
    union = _areas(ours) + _areas(theirs) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(len(union)), where=union > 0.0))


def accuracy_at(overlaps: Floats, threshold: float = 0.5) -> float:
    """Share of boxes that overlap enough: Acc@0.5 counts IoU ≥ 0.5, as the reference implementation does."""
    return float(np.mean(overlaps >= threshold))


def average_precision(relevant: NDArray[np.bool_], scores: Floats) -> float:
    """Σ (Rₙ − Rₙ₋₁)·Pₙ over the distinct scores, best first, as scikit-learn's `average_precision_score`.

    Args:
        relevant: [N], at least one true.
        scores: [N], higher is more certain.
    """
    _require_finite(scores)
    order = np.argsort(-scores, kind="stable")
    hits, ordered = np.cumsum(relevant[order]), scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # equal scores enter together
    precision = hits[ends] / (ends + 1)
    recall = hits[ends] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def mean_average_precision(relevant: NDArray[np.bool_], scores: Floats) -> float:
    """Mean of the average precision over the classes that occur.

    Args:
        relevant: [N, C].
        scores: [N, C].
    """
    occurring = np.flatnonzero(relevant.any(axis=0))
    return float(np.mean([average_precision(relevant[:, number], scores[:, number]) for number in occurring]))


def confusion_matrix(right: Integers, chosen: Integers, classes: int) -> Integers:
    """How often class i (row) was taken for class j (column): int64 [C, C]."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (right, chosen), 1)
    return matrix


def _areas(boxes: Floats) -> NDArray[np.float64]:
    sides = np.clip(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def _require_finite(values: Floats) -> None:
    if not np.isfinite(values).all():  # a comparison with NaN is false, which would count as a hit
        raise ValueError("scores and vectors must be finite")
