"""Probabilities against scalar mathematics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from service.usecases.probabilities import best_first, contrast, sigmoid, softmax


def test_softmax_agrees_with_its_definition() -> None:
    logits = [0.3, -1.0, 2.5]
    total = sum(map(math.exp, logits))
    np.testing.assert_allclose(softmax(np.array(logits)), [math.exp(x) / total for x in logits], atol=1e-12)


def test_sigmoid_agrees_with_its_definition_and_does_not_overflow() -> None:
    logits = [-3.0, 0.0, 1.5]
    np.testing.assert_allclose(sigmoid(np.array(logits)), [1 / (1 + math.exp(-x)) for x in logits], atol=1e-12)
    assert sigmoid(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_large_logits_do_not_overflow() -> None:
    assert softmax(np.array([1e4, 0.0], dtype=np.float32)).tolist() == [1.0, 0.0]


def test_contrast_scales_by_the_exponential() -> None:
    probabilities = contrast(np.array([[0.5, 0.2]], dtype=np.float32), math.log(10))
    assert probabilities[0, 0] == pytest.approx(1 / (1 + math.exp(-3.0)), abs=1e-6)


def test_best_first_sorts_cuts_and_names() -> None:
    probabilities = np.array([0.2, 0.5, 0.3])
    assert [scored.label for scored in best_first(["a", "b", "c"], probabilities)] == ["b", "c", "a"]
    assert [scored.label for scored in best_first(None, probabilities, 2)] == ["1", "2"]
