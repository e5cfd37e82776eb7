"""The fine-tuned heads: boxes, audio labels, questions about a picture, a clip or a pair of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.admission import UNACCOUNTED, Room
from service.batching.row_queue import RowResult
from service.context import Stages
from service.engine.protocol import RowInputs
from service.errors import EngineFailure, InputError, InvalidRequest
from service.media.audio import DecodedAudio
from service.media.image import DecodedImage
from service.media.text import EncodedText, count_bytes
from service.pipeline import Pipeline
from service.preprocessing import Note, Prepared, audio_note, audio_row, image_note, text_row
from service.usecases.files import fetched
from service.usecases.items import AudioItem, ImageItem, MediaItem, TextItem, modality
from service.usecases.probabilities import ScoredLabel, activate, best_first, softmax
from service.usecases.text_length import long_texts
from service.usecases.windows import Span, pool, prepare_windows

T = TypeVar("T")
ANSWER = " answer: "
"""Stands between question and candidate: the text form is AVQA's, as the reference trains it."""


@dataclass(frozen=True, slots=True)
class GroundedPhrase:
    """A phrase's box in pixels of the upright image, to the hundredth, and as fractions of its sides: x0, y0, x1, y1.

    `score` is the cosine between the phrase and what is in the box, where it was asked for.
    """

    phrase: str
    box: tuple[float, float, float, float]
    box_normalized: tuple[float, float, float, float]
    score: float | None = None


@dataclass(frozen=True, slots=True)
class WindowLabels:
    """The labels of one window of a clip, best first."""

    span: Span
    labels: Sequence[ScoredLabel]


class Heads:
    """Runs the models whose output is not an embedding. Each method needs its model in the repository."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def ground(
        self, image: ImageItem, phrases: Sequence[TextItem], stages: Stages
    ) -> tuple[list[GroundedPhrase], Note]:
        """One box for each phrase; the picture is decoded once, and equal phrases are one row.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        (decoded,), tokens = await self._image_and_texts("grounding", [image], phrases, stages)
        distinct = {text.tokens.tobytes(): text for text in tokens}
        rows = [_row("grounding", text, {"pixels": decoded.pixels}) for text in distinct.values()]
        found = dict(zip(distinct, await self._run(rows, stages), strict=True))
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
        preprocessor = self._pipeline.preprocessor
        for model in ("text", "image"):
            preprocessor.model(model)
        regions = list(dict.fromkeys(box.box_normalized for box in boxes))
        (crops,) = await self._pipeline.decode([preprocessor.regions("image", image.payload, regions)], stages)
        if wrong := _errors([crops], [image], stages):
            raise InvalidRequest(wrong)
        rows = [text_row("text", text) for text in await self._texts("text", phrases, stages)]
        rows += [Prepared("image", {"pixels": pixels}, 0, {}) for some in _good([crops]) for pixels in some]
        vectors = np.stack(await self._run(rows, stages))
        places = [len(boxes) + regions.index(box.box_normalized) for box in boxes]
        cosines = np.sum(vectors[: len(boxes)] * vectors[places], axis=1)
        return [replace(box, score=float(cosine)) for box, cosine in zip(boxes, cosines, strict=True)]

    async def label_audio(self, clip: AudioItem, top_k: int, stages: Stages) -> tuple[list[ScoredLabel], Note]:
        """The trained head's labels, best first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        decoded = await self._audio("audio_labels", clip, stages)
        return await self._labels(audio_row("audio_labels", decoded), top_k, stages), audio_note(decoded)

    async def label_windows(
        self, clip: AudioItem, top_k: int, stages: Stages, room: Room = UNACCOUNTED
    ) -> tuple[list[ScoredLabel], Note, list[WindowLabels]]:
        """The labels of a whole clip, by the mean of its windows' probabilities, and of each window.

        `room` accounts for the whole clip, and for its windows beyond the first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        model = self._pipeline.preprocessor.model("audio_labels")
        async with fetched(self._pipeline.urls, [clip], stages, room) as files:
            (windowed,) = await prepare_windows(self._pipeline, model.name, files, room, stages)
        if isinstance(windowed, InputError):
            raise InvalidRequest(_errors([windowed], [clip], stages))
        logits = np.stack(await self._run(windowed.rows, stages))  # [windows, C]
        probabilities = activate(logits, model.card.activation)
        each = [
            WindowLabels(span, best_first(model.labels, row, top_k))
            for span, row in zip(windowed.spans, probabilities, strict=True)
        ]
        return best_first(model.labels, pool(probabilities, windowed.spans), top_k), windowed.note, each

    async def answer_about_image(
        self, image: ImageItem, question: TextItem, top_k: int, stages: Stages
    ) -> tuple[list[ScoredLabel], Note]:
        """Answers to a question about a picture (VQA), best first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        (decoded,), (text,) = await self._image_and_texts("vqa", [image], [question], stages)
        row = _row("vqa", text, {"pixels": decoded.pixels})
        return await self._labels(row, top_k, stages), image_note(decoded)

    async def answer_about_audio(
        self, clip: AudioItem, question: TextItem, candidates: Sequence[TextItem], stages: Stages
    ) -> tuple[list[ScoredLabel], Note]:
        """The caller's candidate answers to a question about a clip, best first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        asked = self._ask(question, candidates)
        decoded = await self._audio("audio_qa", clip, stages)
        sound = audio_row("audio_qa", decoded)
        texts = await self._texts("audio_qa", asked, stages)
        rows = [Prepared("audio_qa", {**sound.inputs, "tokens": text.tokens}, sound.length, {}) for text in texts]
        scores = np.concatenate(await self._run(rows, stages))  # [candidates]
        return best_first([answer.text for answer in candidates], softmax(scores)), audio_note(decoded)

    def _ask(self, question: TextItem, candidates: Sequence[TextItem]) -> list[TextItem]:
        """The question with each candidate; too long ones are refused before they are built."""
        max_bytes = self._pipeline.max_text_bytes
        wrong = long_texts([question], max_bytes)
        if not wrong:
            wrong = long_texts(candidates, max_bytes, beside=count_bytes(question.text) + len(ANSWER))
        if wrong:
            raise InvalidRequest(wrong)
        return [TextItem(f"{question.text}{ANSWER}{answer.text}", answer.pointer) for answer in candidates]

    async def judge_pair(self, images: Sequence[ImageItem], sentence: TextItem, stages: Stages) -> float:
        """Probability that the sentence is true of the two pictures (NLVR2; logit 0 means true).

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        (first, second), (text,) = await self._image_and_texts("image_pair", images, [sentence], stages)
        row = _row("image_pair", text, {"pixels": first.pixels, "pixels_2": second.pixels})
        (logits,) = await self._run([row], stages)
        return float(softmax(logits)[0])

    async def _labels(self, row: Prepared, top_k: int, stages: Stages) -> list[ScoredLabel]:
        model = self._pipeline.preprocessor.model(row.model)
        (logits,) = await self._run([row], stages)
        return best_first(model.labels, activate(logits, model.card.activation), top_k)

    async def _image_and_texts(
        self, model: str, images: Sequence[ImageItem], texts: Sequence[TextItem], stages: Stages
    ) -> tuple[list[DecodedImage], list[EncodedText]]:
        preprocessor = self._pipeline.preprocessor
        preprocessor.model(model)
        encoded = await self._pipeline.prepare_texts(model, [text.text for text in texts], stages)
        async with fetched(self._pipeline.urls, images, stages) as files:
            orders = [preprocessor.image(model, image.payload) for image in files]
            decoded = await self._pipeline.decode(orders, stages)
        if wrong := _errors([*decoded, *encoded], [*images, *texts], stages):
            raise InvalidRequest(wrong)
        return _good(decoded), _good(encoded)

    async def _texts(self, model: str, texts: Sequence[TextItem], stages: Stages) -> list[EncodedText]:
        encoded = await self._pipeline.prepare_texts(model, [text.text for text in texts], stages)
        if wrong := _errors(encoded, texts, stages):
            raise InvalidRequest(wrong)
        return _good(encoded)

    async def _audio(self, model: str, clip: AudioItem, stages: Stages) -> DecodedAudio:
        preprocessor = self._pipeline.preprocessor
        preprocessor.model(model)
        async with fetched(self._pipeline.urls, [clip], stages) as (file,):
            (decoded,) = await self._pipeline.decode([preprocessor.audio(model, file.payload)], stages)
        if isinstance(decoded, InputError):
            raise InvalidRequest(_errors([decoded], [clip], stages))
        return decoded

    async def _run(self, rows: Sequence[Prepared], stages: Stages) -> list[NDArray[np.float32]]:
        results = await self._pipeline.run(rows, stages)
        for result in results:
            if isinstance(result, EngineFailure):
                raise result
        return [result.output for result in results if isinstance(result, RowResult)]


def _row(model: str, text: EncodedText, images: RowInputs) -> Prepared:
    return Prepared(model, {**images, "tokens": text.tokens}, len(text.tokens), {})


def _errors(results: Sequence[object], items: Sequence[MediaItem], stages: Stages) -> list[InputError]:
    """What became of items that could not be read, noted as such."""
    wrong = []
    for result, item in zip(results, items, strict=True):
        if isinstance(result, InputError):
            stages.tally.failed(modality(item), result.code)
            result.pointer = item.pointer
            wrong.append(result)
    return wrong


def _good(results: Sequence[T | InputError]) -> list[T]:
    return [result for result in results if not isinstance(result, InputError)]
