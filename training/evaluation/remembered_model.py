"""A model that remembers vectors, so that several tasks over the same files embed each once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from training.evaluation.dataset import MediaKind
from training.evaluation.model import Corners, EvaluatedModel, PhrasesInPicture, Refusal, Vector

Key = TypeVar("Key", bound=Hashable)


class RememberedModel:
    """Passes on to `model` what was not asked before. Holds every vector: meant for thousands, not millions."""

    def __init__(self, model: EvaluatedModel) -> None:
        self._model = model
        self._texts: dict[str, Vector | Refusal] = {}
        self._files: dict[tuple[str, Path], Vector | Refusal] = {}

    def info(self) -> dict[str, Any]:
        """As `EvaluatedModel.info`."""
        return self._model.info()

    def embed_texts(self, texts: Sequence[str]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_texts`."""
        return _remember(self._texts, texts, self._model.embed_texts)

    def embed_files(self, kind: MediaKind, paths: Sequence[Path]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_files`."""
        keys = [(str(kind), path) for path in paths]
        return _remember(self._files, keys, lambda new: self._model.embed_files(kind, [path for _, path in new]))

    def ground(self, pictures: Sequence[PhrasesInPicture]) -> Iterator[Corners | Refusal]:
        """As `EvaluatedModel.ground`; not remembered."""
        return self._model.ground(pictures)

    def label_sounds(self, paths: Sequence[Path]) -> Iterator[dict[str, float] | Refusal]:
        """As `EvaluatedModel.label_sounds`; not remembered."""
        return self._model.label_sounds(paths)

    def close(self) -> None:
        """Close the model itself."""
        self._model.close()


def _remember(
    known: dict[Key, Vector | Refusal],
    keys: Sequence[Key],
    embed: Callable[[Sequence[Key]], Iterator[Vector | Refusal]],
) -> Iterator[Vector | Refusal]:
    new = [key for key in dict.fromkeys(keys) if key not in known]
    arriving = zip(new, embed(new), strict=True) if new else iter(())
    for key in keys:
        while key not in known:
            arrived, answer = next(arriving)
            known[arrived] = answer
        yield known[key]
