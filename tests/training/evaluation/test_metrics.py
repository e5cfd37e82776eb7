"""Each measure against scikit-learn, or against a plain loop where it has none."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from training.evaluation.metrics import (
    accuracy_at,
    average_precision,
    confusion_matrix,
    intersection_over_union,
    mean_average_precision,
    places,
    retrieval_places,
    share_within,
)

SEEDS = range(5)


def random_unit(rng: np.random.Generator, count: int, dimensions: int = 6) -> np.ndarray:
    vectors = rng.normal(size=(count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_accuracy_is_scikit_learns(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores, right = rng.normal(size=(40, 7)), rng.integers(0, 7, 40)
    theirs = sklearn_metrics.top_k_accuracy_score(right, scores, k=k, labels=range(7))
    assert share_within(places(scores, right), k) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_top_1_is_scikit_learns_accuracy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, right = rng.normal(size=(30, 4)), rng.integers(0, 4, 30)
    theirs = sklearn_metrics.accuracy_score(right, scores.argmax(axis=1))
    assert share_within(places(scores, right), 1) == pytest.approx(theirs)


def test_places_by_hand() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.9, 0.5, 0.1]])
    assert places(scores, np.array([0, 1, 2])).tolist() == [0, 1, 2]


def test_a_tie_counts_against_the_model() -> None:
    assert places(np.zeros((1, 4)), np.array([0])).tolist() == [3]
    same = np.ones((3, 1), dtype=np.float32)
    assert retrieval_places(same[:1], same, [[0]]).tolist() == [2]


def brute_force_recall(queries: np.ndarray, gallery: np.ndarray, relevant: list[list[int]], k: int) -> float:
    hits = 0
    for number, query in enumerate(queries):
        order = sorted(range(len(gallery)), key=lambda place: -float(np.dot(query, gallery[place])))
        hits += any(place in relevant[number] for place in order[:k])
    return hits / len(queries)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_from_one_to_many_and_back(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    pictures, texts = random_unit(rng, 12), random_unit(rng, 60)
    captions = [list(range(5 * number, 5 * number + 5)) for number in range(12)]
    owners = [[number // 5] for number in range(60)]
    to_text = share_within(retrieval_places(pictures, texts, captions), k)
    to_picture = share_within(retrieval_places(texts, pictures, owners), k)
    assert to_text == pytest.approx(brute_force_recall(pictures, texts, captions, k))
    assert to_picture == pytest.approx(brute_force_recall(texts, pictures, owners, k))


def test_recall_over_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = random_unit(rng, 50), random_unit(rng, 20)
    relevant = [[number % 20] for number in range(50)]
    whole = retrieval_places(queries, gallery, relevant)
    monkeypatch.setattr("training.evaluation.metrics.QUERIES_AT_ONCE", 7)
    assert retrieval_places(queries, gallery, relevant).tolist() == whole.tolist()


def painted_overlap(ours: list[int], theirs: list[int]) -> float:
    """IoU by counting unit squares."""

    def squares(box: list[int]) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    union = squares(ours) | squares(theirs)
    return len(squares(ours) & squares(theirs)) / len(union) if union else 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_overlap_is_that_of_counted_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = rng.integers(0, 12, (2, 200, 4))  # many with crossed corners, which have no area
    found = intersection_over_union(boxes[0], boxes[1])
    wanted = [painted_overlap(ours, theirs) for ours, theirs in zip(*boxes.tolist(), strict=True)]
    np.testing.assert_allclose(found, wanted)


def test_accuracy_at_a_half_counts_exactly_a_half() -> None:
    true_boxes = np.array([[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 2.0, 1.0]])
    found = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.9, 1.0], [0.0, 0.0, 2.0, 1.0]])
    assert accuracy_at(intersection_over_union(true_boxes, found)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("decimals", [1, 8])
def test_average_precision_is_scikit_learns_with_and_without_ties(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    scores, relevant = rng.random(60).round(decimals), rng.random(60) < 0.3
    relevant[0] = True
    theirs = sklearn_metrics.average_precision_score(relevant, scores)
    assert average_precision(relevant, scores) == pytest.approx(theirs)


def test_average_precision_by_hand() -> None:
    # Hits at places 1 and 3: (1/1 + 2/3) / 2.
    found = average_precision(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]))
    assert found == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_mean_average_precision_is_scikit_learns_macro_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, relevant = rng.random((50, 6)), rng.random((50, 6)) < 0.3
    relevant[0] = True
    theirs = sklearn_metrics.average_precision_score(relevant, scores, average="macro")
    assert mean_average_precision(relevant, scores) == pytest.approx(theirs)


def test_a_class_that_never_occurs_is_left_out_of_the_mean() -> None:
    relevant = np.array([[True, False], [False, False]])
    assert mean_average_precision(relevant, np.array([[0.9, 0.1], [0.1, 0.9]])) == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_confusion_matrix_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    right, chosen = rng.integers(0, 5, 80), rng.integers(0, 5, 80)
    theirs = sklearn_metrics.confusion_matrix(right, chosen, labels=range(5))
    assert confusion_matrix(right, chosen, 5).tolist() == theirs.tolist()


def test_nan_is_refused_because_it_would_count_as_a_hit() -> None:
    bad = np.array([[np.nan, 0.0]])
    with pytest.raises(ValueError, match="finite"):
        places(bad, np.array([0]))
    with pytest.raises(ValueError, match="finite"):
        retrieval_places(bad, np.ones((1, 2)), [[0]])
    with pytest.raises(ValueError, match="finite"):
        average_precision(np.array([True, False]), bad[0])
