"""Grounding: where in a picture is what a phrase names?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.context import Stages
from service.errors import InvalidRequest
from service.preprocessing import Note, Prepared, image_note, text_row
from service.usecases.heads import HeadRunner, row_with_text
from service.usecases.items import ImageItem, TextItem
from service.usecases.refusals import good, refusals


@dataclass(frozen=True, slots=True)
class GroundedPhrase:
    """A phrase's box in pixels of the upright image, to the hundredth, and as fractions of its sides: x0, y0, x1, y1.

    `score` is the cosine between the phrase and what is in the box, where it was asked for.
    """

    phrase: str
    box: tuple[float, float, float, float]
    box_normalized: tuple[float, float, float, float]
    score: float | None = None


class Grounder:
    """Finds boxes. Needs the grounding model in the repository."""

    def __init__(self, heads: HeadRunner) -> None:
        self._heads = heads

    async def ground(
        self, image: ImageItem, phrases: Sequence[TextItem], stages: Stages
    ) -> tuple[list[GroundedPhrase], Note]:
        """One box for each phrase; the picture is decoded once, and equal phrases are one row.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        (decoded,), tokens = await self._heads.images_and_texts("grounding", [image], phrases, stages)
        distinct = {text.tokens.tobytes(): text for text in tokens}
        rows = [row_with_text("grounding", text, {"pixels": decoded.pixels}) for text in distinct.values()]
        found = dict(zip(distinct, await self._heads.run(rows, stages), strict=True))
        outputs = [found[text.tokens.tobytes()] for text in tokens]
        width, height = decoded.width, decoded.height
        boxes = []
        for phrase, output in zip(phrases, outputs, strict=True):
            x0, y0, x1, y1 = output.astype(np.float64).tolist()
            fractions = (x0, y0, x1, y1)
            pixels = (round(x0 * width, 2), round(y0 * height, 2), round(x1 * width, 2), round(y1 * height, 2))
            boxes.append(GroundedPhrase(phrase.text, pixels, fractions))
        return boxes, image_note(decoded)

    async def score_boxes(
        self, image: ImageItem, phrases: Sequence[TextItem], boxes: Sequence[GroundedPhrase], stages: Stages
    ) -> list[GroundedPhrase]:
        """The boxes with scores: the cosine between the phrase's vector and that of the picture within its box.

        The file is decoded a second time, once for all boxes: pixels at full size do not wait in memory for boxes.
        Equal boxes are one crop.

        Raises:
            ModelNotServed: the repository lacks the text or the image model.
            InvalidRequest, EngineFailure, QueueFull.
        """
        preprocessor = self._heads.pipeline.preprocessor
        for model in ("text", "image"):
            preprocessor.model(model)
        regions = list(dict.fromkeys(box.box_normalized for box in boxes))
        (crops,) = await self._heads.pipeline.decode([preprocessor.regions("image", image.payload, regions)], stages)
        if wrong := refusals([crops], [image], stages):
            raise InvalidRequest(wrong)
        rows = [text_row("text", text) for text in await self._heads.texts("text", phrases, stages)]
        rows += [Prepared("image", {"pixels": pixels}, 0, {}) for some in good([crops]) for pixels in some]
        vectors = np.stack(await self._heads.run(rows, stages))
        places = [len(boxes) + regions.index(box.box_normalized) for box in boxes]
        cosines = np.sum(vectors[: len(boxes)] * vectors[places], axis=1)
        return [replace(box, score=float(cosine)) for box, cosine in zip(boxes, cosines, strict=True)]
