"""A score that the grounding model lacks: does what is in a box look like the phrase?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from service.batching.row_queue import Priority, RowResult
from service.context import Stages
from service.errors import EngineFailure, InputError, InvalidRequest
from service.pipeline import Pipeline
from service.preprocessing import Prepared, text_row
from service.usecases.heads import GroundedPhrase
from service.usecases.items import ImageItem, TextItem


async def score_boxes(
    pipeline: Pipeline, image: ImageItem, phrases: Sequence[TextItem], boxes: Sequence[GroundedPhrase], stages: Stages
) -> list[GroundedPhrase]:
    """The boxes with scores: the cosine between the phrase's vector and that of the picture within its box.

    The file is decoded a second time, once for all boxes: pixels at full size do not wait in memory for the boxes.

    Raises:
        ModelNotServed: the repository lacks the text or the image model.
        InvalidRequest, EngineFailure, Unavailable.
    """
    preprocessor = pipeline.preprocessor
    for model in ("text", "image"):
        preprocessor.model(model)
    regions = [box.box_normalized for box in boxes]
    (crops,) = await pipeline.prepare([partial(preprocessor.regions, "image", image.payload, regions)], stages)
    texts = await pipeline.prepare_texts("text", [phrase.text for phrase in phrases], stages)
    rows: list[Prepared] = []
    if isinstance(crops, InputError):
        crops.pointer = image.pointer
        raise InvalidRequest([crops])
    for phrase, text in zip(phrases, texts, strict=True):
        if isinstance(text, InputError):
            text.pointer = phrase.pointer
            raise InvalidRequest([text])
        rows.append(text_row("text", text))
    rows += [Prepared("image", {"pixels": pixels}, 0, {}) for pixels in crops]
    results = await pipeline.run(rows, Priority.INTERACTIVE, stages)
    vectors = np.stack([_output(result) for result in results])
    cosines = np.sum(vectors[: len(boxes)] * vectors[len(boxes) :], axis=1)
    return [replace(box, score=float(cosine)) for box, cosine in zip(boxes, cosines, strict=True)]


def _output(result: RowResult | EngineFailure) -> np.ndarray:
    if isinstance(result, EngineFailure):
        raise result
    return result.output
