"""What the fine-tuned heads share: their inputs read, each bad one named, and their rows run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.batching.row_queue import RowResult
from service.context import Stages
from service.engine.protocol import RowInputs
from service.errors import EngineFailure, InputError, InvalidRequest
from service.media.audio import DecodedAudio
from service.media.image import DecodedImage
from service.media.text import EncodedText
from service.pipeline import Pipeline
from service.preprocessing import Prepared
from service.usecases.files import fetched
from service.usecases.items import AudioItem, ImageItem, TextItem
from service.usecases.probabilities import ScoredLabel, activate, best_first
from service.usecases.refusals import good, refusals


class HeadRunner:
    """Reads inputs for the models whose output is not an embedding, and runs these.

    Where an input is wrong its methods raise InvalidRequest, which names every wrong one.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def best_labels(self, row: Prepared, top_k: int, stages: Stages) -> list[ScoredLabel]:
        """The labels that a trained head gives to one row, best first."""
        model = self.pipeline.preprocessor.model(row.model)
        (logits,) = await self.run([row], stages)
        return best_first(model.labels, activate(logits, model.card.activation), top_k)

    async def images_and_texts(
        self, model: str, images: Sequence[ImageItem], texts: Sequence[TextItem], stages: Stages
    ) -> tuple[list[DecodedImage], list[EncodedText]]:
        """Pictures and texts for one model, all of them checked before any is refused."""
        preprocessor = self.pipeline.preprocessor
        preprocessor.model(model)
        encoded = await self.pipeline.prepare_texts(model, [text.text for text in texts], stages)
        async with fetched(self.pipeline.urls, images, stages) as files:
            orders = [preprocessor.image(model, image.payload) for image in files]
            decoded = await self.pipeline.decode(orders, stages)
        if wrong := refusals([*decoded, *encoded], [*images, *texts], stages):
            raise InvalidRequest(wrong)
        return good(decoded), good(encoded)

    async def texts(self, model: str, texts: Sequence[TextItem], stages: Stages) -> list[EncodedText]:
        """Texts for one model."""
        encoded = await self.pipeline.prepare_texts(model, [text.text for text in texts], stages)
        if wrong := refusals(encoded, texts, stages):
            raise InvalidRequest(wrong)
        return good(encoded)

    async def clip(self, model: str, clip: AudioItem, stages: Stages) -> DecodedAudio:
        """A clip as far as one model hears it."""
        preprocessor = self.pipeline.preprocessor
        preprocessor.model(model)
        async with fetched(self.pipeline.urls, [clip], stages) as (file,):
            (decoded,) = await self.pipeline.decode([preprocessor.audio(model, file.payload)], stages)
        if isinstance(decoded, InputError):
            raise InvalidRequest(refusals([decoded], [clip], stages))
        return decoded

    async def run(self, rows: Sequence[Prepared], stages: Stages) -> list[NDArray[np.float32]]:
        """The output of every row, in order.

        Raises:
            EngineFailure: the model failed on one.
            QueueFull, Unavailable: see `Pipeline.run`.
        """
        results = await self.pipeline.run(rows, stages)
        for result in results:
            if isinstance(result, EngineFailure):
                raise result
        return [result.output for result in results if isinstance(result, RowResult)]


def row_with_text(model: str, text: EncodedText, images: RowInputs) -> Prepared:
    """A row of a head that reads a text beside pictures."""
    return Prepared(model, {**images, "tokens": text.tokens}, len(text.tokens), {})
