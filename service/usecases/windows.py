"""Long sounds: a row for each window of one decoded clip, and what the rows' outputs say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.admission import Room
from service.context import Stages
from service.errors import InputError, InvalidField, InvalidRequest
from service.media.audio_windows import MIN_HOP_S, Clip, Windows
from service.pipeline import Pipeline
from service.preprocessing import Note, Prepared, Preprocessor, audio_note, waveform_row
from service.usecases.items import AudioItem


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
        detail = f"the hop is {MIN_HOP_S:g} s to {seconds:g} s, the window's length: a longer one leaves gaps"
        limit = seconds if hop_s > seconds else MIN_HOP_S
        raise InvalidRequest([InvalidField(detail, limit=limit, actual=hop_s, pointer=f"{pointer}/hop")])
    return Windows(seconds, hop_s)


async def prepare_windows(
    pipeline: Pipeline, model: str, clips: Sequence[AudioItem], room: Room, stages: Stages
) -> list[WindowedClip | InputError]:
    """Decode each clip once and cut it; a wrong clip gives its error in its place.

    The first window of each is accounted for already; `room` is asked for all the others, and for the sounds while
    they stand in memory whole, by their headers: before any is decoded.

    Raises:
        InvalidRequest: the clips have more windows, or bytes, than the service ever has at work.
        QueueFull: there is no room for so many now.
    """
    preprocessor = pipeline.preprocessor
    preprocessor.model(model)
    pairs = [(clip.payload, clip.windows) for clip in clips if clip.windows is not None]
    lengths = await pipeline.decode([preprocessor.clip_seconds(*pair) for pair in pairs], stages)
    known = [(pair[1], found) for pair, found in zip(pairs, lengths, strict=True) if not isinstance(found, InputError)]
    told = _needs(preprocessor, model, known)
    await room.take(items=told.windows, num_bytes=told.window_bytes + told.sound_bytes)
    decoded = await pipeline.decode([preprocessor.clip(model, *pair) for pair in pairs], stages)
    real = _needs(preprocessor, model, [(clip.windows, clip.seconds) for clip in decoded if isinstance(clip, Clip)])
    more = real.beyond(told)  # than the headers told: nothing, unless they lie
    await room.take(items=more.windows, num_bytes=more.window_bytes + more.sound_bytes)
    cut = await pipeline.prepare([partial(_cut, model, clip) for clip in decoded], stages)
    less = told.beyond(real)  # errors, and sounds whose headers told no length
    sound_bytes = max(told.sound_bytes, real.sound_bytes)
    room.give(items=less.windows, num_bytes=less.window_bytes + sound_bytes)
    return cut


@dataclass(frozen=True, slots=True)
class _Needs:
    """What clips hold beyond the first window of each; the sounds, until they are cut."""

    windows: int
    window_bytes: int
    sound_bytes: int

    def beyond(self, other: _Needs) -> _Needs:
        """How much more than `other` it is."""
        return _Needs(
            max(0, self.windows - other.windows),
            max(0, self.window_bytes - other.window_bytes),
            max(0, self.sound_bytes - other.sound_bytes),
        )


def _needs(preprocessor: Preprocessor, model: str, clips: Sequence[tuple[Windows, float]]) -> _Needs:
    """Of clips so many seconds long."""
    counts = [windows.count(seconds) - 1 for windows, seconds in clips]
    sizes = [preprocessor.sound_bytes(model, windows.seconds) for windows, _ in clips]
    window_bytes = sum(count * size for count, size in zip(counts, sizes, strict=True))
    return _Needs(sum(counts), window_bytes, sum(preprocessor.sound_bytes(model, seconds) for _, seconds in clips))


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
