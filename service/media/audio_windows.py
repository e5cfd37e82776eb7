"""Long sounds in windows: decoded once, then cut; each window is made ready as if it were a file of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from service.errors import AudioTooLong, TooManyItems, UnreadableAudio
from service.media.audio import AudioSpec, ClipSums, Samples, measure_sound, read_sound

MIN_HOP_S = 0.01


@dataclass(frozen=True, slots=True)
class Windows:
    """How a sound is cut: `seconds` long, one every `hop_s`; `MIN_HOP_S` ≤ hop_s ≤ seconds."""

    seconds: float
    hop_s: float

    def count(self, total_s: float) -> int:
        """How many windows a sound of `total_s` has: the last is the first that reaches its end."""
        return 1 + max(0, math.ceil((total_s - self.seconds) / self.hop_s - 1e-9))

    def longest_s(self, count: int) -> float:
        """Seconds of the longest sound with `count` windows."""
        return self.seconds + (count - 1) * self.hop_s


@dataclass(frozen=True, slots=True)
class Clip:
    """A whole sound: float32 [T] at the spec's rate, mono, as it is in the file, not normalised."""

    samples: Samples
    seconds: float
    sample_rate_hz: int
    spec: AudioSpec
    windows: Windows

    @property
    def used_seconds(self) -> float:
        """All of it is heard."""
        return self.seconds

    def spans(self) -> list[tuple[float, float]]:
        """Start and end of each window in seconds; the last one ends with the sound and may be shorter."""
        starts = [place * self.windows.hop_s for place in range(self.windows.count(self.seconds))]
        return [(start, min(start + self.windows.seconds, self.seconds)) for start in starts]

    def waveform(self, start_s: float, end_s: float) -> Samples:
        """One window, normalised over itself, and repeated up to the model's minimum: float32 [n]."""
        rate_hz = self.spec.sample_rate_hz
        sums = ClipSums(self.spec)
        sums.add(self.samples[min(round(start_s * rate_hz), len(self.samples) - 1) : round(end_s * rate_hz)])
        return sums.finish()


def measure_clip(data: bytes, windows: Windows, *, max_seconds: float, max_windows: int) -> float:
    """Seconds of a sound by its header; as many as it may have where that does not tell.

    Raises:
        UnreadableAudio, AudioTooLong, TooManyItems: as `decode_clip`, as far as a header tells.
    """
    bound_s = min(max_seconds, windows.longest_s(max_windows))
    with _too_many(windows, max_windows, bound_s < max_seconds):
        return measure_sound(data, bound_s)


def decode_clip(data: bytes, spec: AudioSpec, windows: Windows, *, max_seconds: float, max_windows: int) -> Clip:
    """Decode a whole sound file, to be cut into windows.

    Raises:
        UnreadableAudio, AudioTooLong: as `decode_audio`.
        TooManyItems: more than `max_windows`; by the header where it tells, else while decoding.
    """
    bound_s = min(max_seconds, windows.longest_s(max_windows))
    blocks: list[Samples] = []
    with _too_many(windows, max_windows, bound_s < max_seconds):
        sound = read_sound(data, spec.sample_rate_hz, bound_s, blocks.append)
    samples = np.concatenate(blocks)
    if not len(samples):
        raise UnreadableAudio("the sound is shorter than one sample of the model's rate")
    return Clip(samples, sound.seconds, sound.sample_rate_hz, spec, windows)


@contextmanager
def _too_many(windows: Windows, max_windows: int, bounded_by_windows: bool) -> Iterator[None]:
    """Say that a sound that is too long has too many windows, where that is why it is too long."""
    try:
        yield
    except AudioTooLong as error:
        if not bounded_by_windows:
            raise
        found = None if error.actual is None else windows.count(float(error.actual))
        detail = f"the sound has more than {max_windows} windows"
        raise TooManyItems(detail, limit=max_windows, actual=found) from error
