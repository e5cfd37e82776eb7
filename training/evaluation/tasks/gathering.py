"""Collect a model's answers with a progress bar, and leave out the files that it could not use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from training.evaluation.dataset import MediaKind
from training.evaluation.model import EvaluatedModel, ModelError, Refusal, Vector
from training.evaluation.tasks.result import Refused, require_items

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileVectors:
    """`vectors` float32 [N, D] of the usable files; `kept` are their N numbers in the list that was asked."""

    vectors: Vector
    kept: tuple[int, ...]
    refused: tuple[Refused, ...]


def embed_texts(model: EvaluatedModel, texts: Sequence[str], what: str) -> Vector:
    """Vectors of texts, float32 [N, D]. Each different text is asked once.

    Raises:
        ModelError: one could not be embedded.
    """
    different = list(dict.fromkeys(texts))
    numbers = {text: number for number, text in enumerate(different)}
    vectors = []
    for text, answer in zip(different, with_progress(model.embed_texts(different), len(different), what), strict=True):
        if isinstance(answer, Refusal):
            raise ModelError(f"the text '{text}' could not be embedded: {answer.why}")
        vectors.append(answer)
    return _stacked(vectors)[[numbers[text] for text in texts]]


def embed_files(model: EvaluatedModel, kind: MediaKind, paths: Sequence[Path]) -> FileVectors:
    """Vectors of pictures or sounds.

    Raises:
        DataError: none of the files is usable.
        ModelError: the model can't be asked.
    """
    what = {"image": "pictures", "audio": "sounds"}[kind]
    answers = list(with_progress(model.embed_files(kind, paths), len(paths), what))
    kept, refused = sort_answers(paths, answers)
    require_items(kept, what)
    return FileVectors(_stacked([answer for answer in answers if not isinstance(answer, Refusal)]), kept, refused)


def sort_answers(paths: Sequence[Path], answers: Sequence[object]) -> tuple[tuple[int, ...], tuple[Refused, ...]]:
    """Numbers of the answers that are usable, and the files whose are not."""
    kept = tuple(number for number, answer in enumerate(answers) if not isinstance(answer, Refusal))
    refused = tuple(
        Refused(path, answer.why) for path, answer in zip(paths, answers, strict=True) if isinstance(answer, Refusal)
    )
    return kept, refused


def with_progress(answers: Iterator[T], total: int, what: str) -> Iterator[T]:
    """Show on stderr how far it is, when that is a terminal."""
    yield from tqdm(answers, total=total, desc=what, unit="", leave=False, disable=None)


def _stacked(vectors: Sequence[Vector]) -> Vector:
    stacked = np.stack(vectors)
    if not np.isfinite(stacked).all():
        raise ModelError("the model gave a vector that is not finite")
    return stacked
