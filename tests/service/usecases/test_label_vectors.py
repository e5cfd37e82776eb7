"""What is kept of labels' vectors, and for how long."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

from service.errors import InvalidRequest
from service.usecases.items import TextItem
from service.usecases.label_vectors import LabelVectors, Prompt, ensemble


def prompts(*labels: str, template: str = "a {}") -> list[Prompt]:
    return [Prompt(TextItem(label, ""), template) for label in labels]


def vector(number: float) -> np.ndarray:
    return np.array([number, 1.0], dtype=np.float32)


def learn(vectors: LabelVectors, *labels: str, template: str = "a {}") -> int:
    """Look labels up, compute what is missing; how many those were."""
    lookup = vectors.look_up(prompts(*labels, template=template))
    vectors.complete(lookup, [vector(len(prompt.label.text)) for prompt in lookup.missing])
    return len(lookup.missing)


def test_a_known_label_is_not_missing_again() -> None:
    vectors = LabelVectors(10)
    assert learn(vectors, "cow", "sheep") == 2
    lookup = vectors.look_up(prompts("sheep", "ox", "cow"))
    assert [prompt.label.text for prompt in lookup.missing] == ["ox"]
    np.testing.assert_array_equal(vectors.complete(lookup, [vector(2)])[:, 0], [5, 2, 3])


def test_the_same_label_in_another_template_is_another_vector() -> None:
    vectors = LabelVectors(10)
    assert learn(vectors, "cow") == 1
    assert learn(vectors, "cow", template="the {}") == 1


def test_a_label_that_stands_twice_is_computed_once() -> None:
    vectors = LabelVectors(10)
    lookup = vectors.look_up(prompts("cow", "cow"))
    assert len(lookup.missing) == 1
    assert vectors.complete(lookup, [vector(7)]).tolist() == [[7, 1], [7, 1]]


def test_the_least_recently_used_leave_first() -> None:
    vectors = LabelVectors(2)
    learn(vectors, "a", "b")
    learn(vectors, "a")
    learn(vectors, "c")
    assert len(vectors) == 2
    assert learn(vectors, "a") == 0
    assert learn(vectors, "b") == 1


def test_what_leaves_while_others_are_computed_is_still_in_the_answer() -> None:
    vectors = LabelVectors(1)
    learn(vectors, "cow")
    lookup = vectors.look_up(prompts("cow", "sheep"))
    learn(vectors, "something else")
    assert vectors.complete(lookup, [vector(9)])[:, 0].tolist() == [3, 9]


def test_nothing_is_kept_where_nothing_may_be() -> None:
    vectors = LabelVectors(0)
    assert learn(vectors, "cow") == learn(vectors, "cow") == 1


def test_what_is_kept_of_long_labels_is_no_larger_than_of_short_ones() -> None:
    tracemalloc.start()
    try:
        vectors = LabelVectors(1000)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1000):
            learn(vectors, f"{number}" + "x" * 10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(vectors) == 1000
    assert after - before < 1000 * 1000


def test_a_vector_that_is_kept_lets_go_of_the_batch_it_came_from() -> None:
    vectors, batch = LabelVectors(10), np.zeros((1000, 128), dtype=np.float32)
    lookup = vectors.look_up(prompts("cow"))
    vectors.complete(lookup, [batch[0]])
    del lookup
    assert sys.getrefcount(batch) == 2, "of the name, and of the call"


def test_an_ensemble_is_the_normalised_mean_of_each_labels_prompts() -> None:
    stacked = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], dtype=np.float32)
    labels = [TextItem("cow", "/labels/0"), TextItem("dog", "/labels/1")]
    np.testing.assert_allclose(ensemble(stacked, labels), [[0.5**0.5, 0.5**0.5], [0, 1]], atol=1e-6)


def test_prompts_that_cancel_each_other_out_are_refused_by_their_label() -> None:
    stacked = np.array([[1, 0], [0, 1], [0.6, 0.8], [-0.6, -0.8]], dtype=np.float32)
    with pytest.raises(InvalidRequest) as caught:
        ensemble(stacked, [TextItem("cow", "/labels/0"), TextItem("dog", "/labels/1")])
    assert [error.pointer for error in caught.value.errors] == ["/labels/1"]
