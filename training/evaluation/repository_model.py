"""A model repository run in this process, by the same pipeline as the server's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.context import Stages
from service.errors import InvalidRequest, ModelNotServed, ServiceError
from service.handlers.info import describe
from service.runtime import Runtime
from service.settings import load_settings
from service.usecases.embeddable import Embedded
from service.usecases.items import AudioItem, ImageItem, Item, TextItem
from training.evaluation.dataset import MediaKind, portions
from training.evaluation.model import Corners, ModelError, NotServed, PhrasesInPicture, Refusal, Vector

BATCH_ITEMS = 64
"""Files in memory at once; the pipeline makes its own batches of them."""
BATCH_PICTURES = 8
"""Each with at most `MAX_PHRASES` phrases, so that together they fit the pipeline's queue of 1024."""
EVERY_LABEL = 10_000


class RepositoryModel:
    """Loads the repository's models on creation; None takes the folder that `onepeace serve` would.

    Raises (on creation):
        RepositoryError: the folder can't be served.
        SettingsError: an `ONEPEACE_…` variable is wrong.
    """

    def __init__(self, repository: Path | None) -> None:
        flags = {} if repository is None else {"model_repository": repository}
        self._runtime = Runtime(load_settings(flags))
        self._runner = asyncio.Runner()
        self._runner.run(self._runtime.start())

    def info(self) -> dict[str, Any]:
        """As `EvaluatedModel.info`."""
        return describe(self._runtime)

    def embed_texts(self, texts: Sequence[str]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_texts`."""
        for some in portions(texts, BATCH_ITEMS):
            yield from self._embed([TextItem(text, text) for text in some])

    def embed_files(self, kind: MediaKind, paths: Sequence[Path]) -> Iterator[Vector | Refusal]:
        """As `EvaluatedModel.embed_files`."""
        item = ImageItem if kind == "image" else AudioItem
        for some in portions(paths, BATCH_ITEMS):
            files = [_read(path) for path in some]
            answers = iter(self._embed([item(data, "") for data in files if isinstance(data, bytes)]))
            yield from (data if isinstance(data, Refusal) else next(answers) for data in files)

    def ground(self, pictures: Sequence[PhrasesInPicture]) -> Iterator[Corners | Refusal]:
        """As `EvaluatedModel.ground`."""
        for some in portions(pictures, BATCH_PICTURES):
            yield from self._runner.run(self._ground_all(some))

    def label_sounds(self, paths: Sequence[Path]) -> Iterator[dict[str, float] | Refusal]:
        """As `EvaluatedModel.label_sounds`."""
        for some in portions(paths, BATCH_ITEMS):
            yield from self._runner.run(self._label_all(some))

    def close(self) -> None:
        """Let go of threads and models."""
        self._runner.run(self._runtime.close())
        self._runner.close()

    def _embed(self, items: Sequence[Item]) -> list[Vector | Refusal]:
        try:
            outcomes = self._runner.run(self._runtime.embedder.embed_each(items, Stages()))
        except ModelNotServed as error:
            raise NotServed(error.detail) from error
        except ServiceError as error:
            raise ModelError(error.detail) from error
        return [outcome.vector if isinstance(outcome, Embedded) else Refusal(outcome.detail) for outcome in outcomes]

    async def _ground_all(self, pictures: Sequence[PhrasesInPicture]) -> list[Corners | Refusal]:
        return list(await asyncio.gather(*(self._ground(picture) for picture in pictures)))

    async def _ground(self, picture: PhrasesInPicture) -> Corners | Refusal:
        data = _read(picture.path)
        if isinstance(data, Refusal):
            return data
        phrases = [TextItem(phrase, "") for phrase in picture.phrases]
        try:
            found, _ = await self._runtime.grounder.ground(ImageItem(data, ""), phrases, Stages())
        except ServiceError as error:
            return _refusal(error)
        return np.asarray([phrase.box_normalized for phrase in found], dtype=np.float64)

    async def _label_all(self, paths: Sequence[Path]) -> list[dict[str, float] | Refusal]:
        return list(await asyncio.gather(*(self._label(path) for path in paths)))

    async def _label(self, path: Path) -> dict[str, float] | Refusal:
        data = _read(path)
        if isinstance(data, Refusal):
            return data
        try:
            scored, _ = await self._runtime.audio_labeller.label_audio(AudioItem(data, ""), EVERY_LABEL, Stages())
        except ServiceError as error:
            return _refusal(error)
        return {label.label: label.probability for label in scored}


def _read(path: Path) -> bytes | Refusal:
    try:
        return path.read_bytes()
    except OSError as error:
        return Refusal(error.strerror or "can't be read")


def _refusal(error: ServiceError) -> Refusal:
    """A wrong input's reason; any other failure ends the evaluation."""
    if isinstance(error, InvalidRequest):
        return Refusal(error.errors[0].detail)
    if isinstance(error, ModelNotServed):
        raise NotServed(error.detail) from error
    raise ModelError(error.detail) from error
