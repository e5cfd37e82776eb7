"""Questions about a picture, a clip or a pair of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.context import Stages
from service.errors import InvalidRequest
from service.media.text import count_bytes
from service.preprocessing import Note, Prepared, audio_note, audio_row, image_note
from service.usecases.heads import HeadRunner, row_with_text
from service.usecases.items import AudioItem, ImageItem, TextItem
from service.usecases.probabilities import ScoredLabel, best_first, softmax
from service.usecases.text_length import long_texts

ANSWER = " answer: "
"""Stands between question and candidate: the text form is AVQA's, as the reference trains it."""


class Questions:
    """Answers questions. Each method needs its model in the repository."""

    def __init__(self, heads: HeadRunner) -> None:
        self._heads = heads

    async def answer_about_image(
        self, image: ImageItem, question: TextItem, top_k: int, stages: Stages
    ) -> tuple[list[ScoredLabel], Note]:
        """Answers to a question about a picture (VQA), best first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        (decoded,), (text,) = await self._heads.images_and_texts("vqa", [image], [question], stages)
        row = row_with_text("vqa", text, {"pixels": decoded.pixels})
        return await self._heads.best_labels(row, top_k, stages), image_note(decoded)

    async def answer_about_audio(
        self, clip: AudioItem, question: TextItem, candidates: Sequence[TextItem], stages: Stages
    ) -> tuple[list[ScoredLabel], Note]:
        """The caller's candidate answers to a question about a clip, best first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        asked = self._ask(question, candidates)
        decoded = await self._heads.clip("audio_qa", clip, stages)
        sound = audio_row("audio_qa", decoded)
        texts = await self._heads.texts("audio_qa", asked, stages)
        rows = [Prepared("audio_qa", {**sound.inputs, "tokens": text.tokens}, sound.length, {}) for text in texts]
        scores = np.concatenate(await self._heads.run(rows, stages))  # [candidates]
        return best_first([answer.text for answer in candidates], softmax(scores)), audio_note(decoded)

    def _ask(self, question: TextItem, candidates: Sequence[TextItem]) -> list[TextItem]:
        """The question with each candidate; too long ones are refused before they are built."""
        max_bytes = self._heads.pipeline.max_text_bytes
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
        (first, second), (text,) = await self._heads.images_and_texts("image_pair", images, [sentence], stages)
        row = row_with_text("image_pair", text, {"pixels": first.pixels, "pixels_2": second.pixels})
        (logits,) = await self._heads.run([row], stages)
        return float(softmax(logits)[0])
