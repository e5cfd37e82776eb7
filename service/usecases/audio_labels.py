"""The labels that the trained head knows for a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.admission import UNACCOUNTED, Room
from service.context import Stages
from service.errors import InputError, InvalidRequest
from service.preprocessing import Note, audio_note, audio_row
from service.usecases.files import fetched
from service.usecases.heads import HeadRunner
from service.usecases.items import AudioItem
from service.usecases.probabilities import ScoredLabel, activate, best_first
from service.usecases.refusals import refusals
from service.usecases.windows import Span, pool, prepare_windows


@dataclass(frozen=True, slots=True)
class WindowLabels:
    """The labels of one window of a clip, best first."""

    span: Span
    labels: Sequence[ScoredLabel]


class AudioLabeller:
    """Labels clips. Needs the model of audio labels in the repository."""

    def __init__(self, heads: HeadRunner) -> None:
        self._heads = heads

    async def label_audio(self, clip: AudioItem, top_k: int, stages: Stages) -> tuple[list[ScoredLabel], Note]:
        """The trained head's labels, best first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        decoded = await self._heads.clip("audio_labels", clip, stages)
        return await self._heads.best_labels(audio_row("audio_labels", decoded), top_k, stages), audio_note(decoded)

    async def label_windows(
        self, clip: AudioItem, top_k: int, stages: Stages, room: Room = UNACCOUNTED
    ) -> tuple[list[ScoredLabel], Note, list[WindowLabels]]:
        """The labels of a whole clip, by the mean of its windows' probabilities, and of each window.

        `room` accounts for the whole clip, and for its windows beyond the first.

        Raises:
            ModelNotServed, InvalidRequest, EngineFailure, QueueFull.
        """
        model = self._heads.pipeline.preprocessor.model("audio_labels")
        async with fetched(self._heads.pipeline.urls, [clip], stages, room) as files:
            (windowed,) = await prepare_windows(self._heads.pipeline, model.name, files, room, stages)
        if isinstance(windowed, InputError):
            raise InvalidRequest(refusals([windowed], [clip], stages))
        logits = np.stack(await self._heads.run(windowed.rows, stages))  # [windows, C]
        probabilities = activate(logits, model.card.activation)
        each = [
            WindowLabels(span, best_first(model.labels, row, top_k))
            for span, row in zip(windowed.spans, probabilities, strict=True)
        ]
        return best_first(model.labels, pool(probabilities, windowed.spans), top_k), windowed.note, each
