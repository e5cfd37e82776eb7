"""From logits to probabilities, and the best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.repository import Activation


@dataclass(frozen=True, slots=True)
class ScoredLabel:
    """A label and its probability, 0 to 1; with the caller's labels also the cosine that it comes from."""

    label: str
    probability: float
    cosine: float | None = None


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax over the last axis, in float64."""
    shifted = np.asarray(logits, dtype=np.float64)
    exponents = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 / (1 + e^−x) in float64, without overflow: ½·(1 + tanh(x/2))."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))))


def activate(logits: NDArray[np.floating], activation: Activation | None) -> NDArray[np.float64]:
    """What the card says: softmax for one label of many, sigmoid for labels that don't exclude each other."""
    return sigmoid(logits) if activation == "sigmoid" else softmax(logits)


def contrast(cosines: NDArray[np.floating], logit_scale: float) -> NDArray[np.float64]:
    """softmax(exp(logit_scale) · cosine) over the last axis, as in training. `logit_scale` is a logarithm."""
    return softmax(np.asarray(cosines, dtype=np.float64) * math.exp(logit_scale))


def best_first(
    labels: Sequence[str] | None, probabilities: NDArray[np.float64], top_k: int | None = None
) -> list[ScoredLabel]:
    """The `top_k` most probable labels (all when None); without names a label is its index."""
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    return [ScoredLabel(labels[i] if labels else str(i), float(probabilities[i])) for i in order]
