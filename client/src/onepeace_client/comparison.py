"""`similarity` for lists that no single request can hold: the server's arithmetic, on this side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onepeace_client.answers import Embeddings, Info
from onepeace_client.contents import VectorContent
from onepeace_client.errors import InputProblem, InvalidInput

EMBEDDING_MODELS = ("text", "image", "audio")


def complete(
    embedded: Embeddings, missing: Sequence[int], own: Mapping[int, VectorContent], pointers: Sequence[str], info: Info
) -> NDArray[np.float32]:
    """All vectors, [N, D]: those that were asked for, at the places `missing`, and the caller's `own`.

    Raises:
        InvalidInput: an own vector has another length, is zero, or was made by another model.
    """
    vectors = np.empty((len(pointers), embedded.vectors.shape[1]), dtype=np.float32)
    vectors[list(missing)] = embedded.vectors
    cards = [info.models[name] for name in EMBEDDING_MODELS if name in info.models]
    known = {embedded.fingerprint, *(card.get("fingerprint") for card in cards)}
    problems: list[InputProblem] = []
    for index, vector in own.items():
        length, norm = len(vector.values), float(np.linalg.norm(vector.values.astype(np.float64)))
        if vector.fingerprint is not None and vector.fingerprint not in known:
            detail = "the vector was made by another model"
            problems.append(InputProblem(f"{pointers[index]}/fingerprint", "fingerprint_mismatch", detail))
        elif length != vectors.shape[1]:
            detail = f"a vector has {vectors.shape[1]} numbers here"
            place = f"{pointers[index]}/embedding"
            problems.append(InputProblem(place, "invalid_field", detail, vectors.shape[1], length))
        elif norm == 0.0:
            detail = "a vector must be finite and not zero"
            problems.append(InputProblem(f"{pointers[index]}/embedding", "invalid_field", detail))
        else:
            vectors[index] = vector.values / norm
    if problems:
        code = problems[0].code if len(problems) == 1 else None
        raise InvalidInput(f"{len(problems)} vectors can't be compared", code=code, errors=problems)
    return vectors


def cosines(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> NDArray[np.float32]:
    """[Q, D] and [C, D], of norm 1, to [Q, C]."""
    return np.asarray(np.clip(queries @ candidates.T, -1.0, 1.0), dtype=np.float32)


def logit_scale(info: Info) -> float:
    """The model's logarithmic factor on cosines.

    Raises:
        InvalidInput: it has none.
    """
    for name in EMBEDDING_MODELS:
        scale = info.models.get(name, {}).get("logit_scale")
        if scale is not None:
            return float(scale)
    detail = "the served model has no logit_scale, so it gives no probabilities"
    problem = InputProblem("/probabilities", "invalid_field", detail)
    raise InvalidInput(detail, code=problem.code, errors=[problem])


def contrast(similarity: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """softmax(exp(scale) · cosine) over the last axis, as in training."""
    logits = similarity.astype(np.float64) * math.exp(scale)
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))
