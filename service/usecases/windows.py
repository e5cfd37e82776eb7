"""Long sounds: a row for each window of one decoded clip, and what the rows' outputs say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.context import Stages
from service.errors import InputError, InvalidField, InvalidRequest
from service.media.audio_windows import MIN_HOP_S, Clip, Windows
from service.pipeline import Pipeline
from service.preprocessing import Note, Prepared, audio_note, waveform_row
from service.usecases.items import AudioItem

Admit = Callable[[int], None]
"""Accounts for so many more rows; raises QueueFull when there is no room."""


@dataclass(frozen=True, slots=True)
class Span:
    """One window's place in the sound, seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class WindowedClip:
    """The rows of one clip's windows, and what was done to the clip."""

    rows: tuple[Prepared, ...]
    spans: tuple[Span, ...]
    note: Note


def check_windows(pipeline: Pipeline, model: str, seconds: float, hop_s: float | None, pointer: str) -> Windows:
    """Windows that a model can take; without a hop each begins where the one before ended.

    Raises:
        ModelNotServed: the repository lacks the model.
        InvalidRequest: a window is shorter or longer than the model's clips, or the hop leaves gaps.
    """
    spec = pipeline.preprocessor.audio_spec(model)
    hop_s = seconds if hop_s is None else hop_s
    if not spec.min_s <= seconds <= spec.max_s:
        detail = f"a window is {spec.min_s:g} to {spec.max_s:g} s long"
        limit = spec.max_s if seconds > spec.max_s else spec.min_s
        raise InvalidRequest([InvalidField(detail, limit=limit, actual=seconds, pointer=f"{pointer}/seconds")])
    if not MIN_HOP_S <= hop_s <= seconds:
        detail = f"the hop is {MIN_HOP_S:g} s to the window's length: longer ones leave gaps"
        limit = seconds if hop_s > seconds else MIN_HOP_S
        raise InvalidRequest([InvalidField(detail, limit=limit, actual=hop_s, pointer=f"{pointer}/hop")])
    return Windows(seconds, hop_s)


async def prepare_windows(
    pipeline: Pipeline, model: str, clips: Sequence[AudioItem], admit: Admit, stages: Stages
) -> list[WindowedClip | InputError]:
    """Decode each clip once and cut it; a wrong clip gives its error in its place.

    Raises:
        QueueFull: there is no room for so many windows.
    """
    preprocessor = pipeline.preprocessor
    preprocessor.model(model)
    decoded = await pipeline.decode(
        [preprocessor.clip(model, clip.payload, clip.windows) for clip in clips if clip.windows], stages
    )
    admit(sum(len(clip.spans()) - 1 for clip in decoded if isinstance(clip, Clip)))  # one of each is accounted for
    return await pipeline.prepare([partial(_cut, model, clip) for clip in decoded], stages)


def _cut(model: str, clip: Clip | InputError) -> WindowedClip:
    if isinstance(clip, InputError):
        raise clip
    spans = tuple(Span(start_s, end_s) for start_s, end_s in clip.spans())
    rows = tuple(waveform_row(model, clip.waveform(span.start_s, span.end_s), {}) for span in spans)
    return WindowedClip(rows, spans, audio_note(clip))


def pool(values: NDArray[np.floating], spans: Sequence[Span]) -> NDArray[np.float64]:
    """Mean of [windows, …] over the windows, weighted by their seconds: a short rest at the end counts for less."""
    lengths = np.array([span.end_s - span.start_s for span in spans])
    return np.asarray(np.tensordot(lengths / lengths.sum(), values.astype(np.float64), axes=1))
