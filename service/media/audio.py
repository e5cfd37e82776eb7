"""From an uploaded sound file to the waveform that the audio models take."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from service.errors import OUT_OF_MEMORY, AudioTooLong, DecoderOutOfMemory, UnreadableAudio
from service.media.sound_container import Container, holds_known_codec, sniff_container

MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ = 1_000, 768_000
MAX_CHANNELS = 64
BLOCK_SAMPLES = 131_072  # over all channels: 0.5 MB a block, large enough to keep the calls' cost below 1 %
UNKNOWN_FRAMES = 1 << 62  # libsndfile answers 2^63 − 1 when the header does not tell the length
VARIANCE_EPSILON = 1e-5  # layer norm of the reference's preprocessing
ACCEPTED = "WAV, FLAC, OGG (Vorbis, Opus) and MP3 are accepted"

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AudioSpec:
    """What the audio models take; the values stand in the model card."""

    sample_rate_hz: int = 16_000
    min_s: float = 1.0
    max_s: float = 15.0

    @property
    def min_samples(self) -> int:
        """Samples that a short clip is repeated to."""
        return round(self.min_s * self.sample_rate_hz)

    @property
    def max_samples(self) -> int:
        """Samples that a long clip is cut to."""
        return round(self.max_s * self.sample_rate_hz)


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A sound file made ready for the model.

    Attributes:
        waveform: float32 [T] at the spec's rate, mean 0 and variance 1 over the whole clip,
            `min_samples` ≤ T ≤ `max_samples`.
        seconds: length of the file.
        used_seconds: how much of the file's sound the waveform holds.
        sample_rate_hz: rate of the file.
        channels: channels of the file.
    """

    waveform: Samples
    seconds: float
    used_seconds: float
    sample_rate_hz: int
    channels: int


def decode_audio(data: bytes, *, spec: AudioSpec, max_seconds: float) -> DecodedAudio:
    """Decode a WAV, FLAC, OGG or MP3 file, mix it to mono, resample, normalise, cut or repeat it.

    Works block by block: memory does not grow with the length of the clip. A file whose compressed stream breaks off
    is refused where the format can tell (FLAC); WAV, OGG and MP3 give the sound that is there, as players do, and
    `seconds` says how much that was. A wrong length in a WAV header does no harm.

    Raises:
        UnreadableAudio: not one of the formats, damaged, empty, not finite, or of a rate or channel count beyond
            the bounds.
        AudioTooLong: longer than `max_seconds`; by the header where it tells, else while decoding.
    """
    clip = ClipSums(spec)
    sound = read_sound(data, spec.sample_rate_hz, max_seconds, clip.add)
    return DecodedAudio(
        clip.finish(), sound.seconds, min(sound.seconds, spec.max_s), sound.sample_rate_hz, sound.channels
    )


def measure_sound(data: bytes, max_seconds: float) -> float:
    """Seconds of a file's sound, by its header; `max_seconds` where it does not tell.

    Raises:
        UnreadableAudio, AudioTooLong: as `decode_audio`, as far as a header tells.
    """
    with _opened(data, max_seconds) as sound:
        frames, rate_hz = int(sound.frames), int(sound.samplerate)
    return min(frames / rate_hz, max_seconds)


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound file turned out to hold."""

    seconds: float
    sample_rate_hz: int
    channels: int


def read_sound(data: bytes, sample_rate_hz: int, max_seconds: float, take: Callable[[Samples], None]) -> Sound:
    """Hand a file's sound to `take` block by block: mono, float32 [n], at `sample_rate_hz`.

    Raises:
        UnreadableAudio, AudioTooLong: as `decode_audio`.
    """
    with _opened(data, max_seconds) as sound:
        rate_hz, channels = int(sound.samplerate), int(sound.channels)
        resampler = None if rate_hz == sample_rate_hz else soxr.ResampleStream(rate_hz, sample_rate_hz, 1)
        frames = 0
        for mono in _mono_blocks(sound):
            frames += len(mono)
            if frames > max_seconds * rate_hz:
                raise AudioTooLong(f"the sound is longer than {max_seconds:g} s", limit=max_seconds)
            take(mono if resampler is None else resampler.resample_chunk(mono))
        if resampler is not None:
            take(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        if not frames:
            raise UnreadableAudio(f"the {sniff_container(data)} file holds no samples")
    return Sound(frames / rate_hz, rate_hz, channels)


class ClipSums:
    """Keeps a clip's first `max_s`, and sums over all of it, for the layer norm over the whole clip."""

    def __init__(self, spec: AudioSpec) -> None:
        self._spec = spec
        self._kept: list[Samples] = []
        self._room = spec.max_samples
        self._count, self._sum, self._squares = 0, 0.0, 0.0

    def finish(self) -> Samples:
        """The normalised waveform.

        Raises:
            UnreadableAudio: a sample was not finite, or the clip is too short to resample.
        """
        if not self._count:
            raise UnreadableAudio("the sound is shorter than one sample of the model's rate")
        if not math.isfinite(self._squares):
            raise UnreadableAudio("the sound holds samples that are not finite numbers (NaN or infinity)")
        mean = self._sum / self._count
        variance = max(0.0, self._squares / self._count - mean * mean)
        kept = np.concatenate(self._kept).astype(np.float64)
        waveform = ((kept - mean) / math.sqrt(variance + VARIANCE_EPSILON)).astype(np.float32)
        return waveform if len(waveform) >= self._spec.min_samples else np.resize(waveform, self._spec.min_samples)

    def add(self, block: Samples) -> None:
        """Take the next samples, float32 [n] at the spec's rate."""
        if not len(block):
            return
        exact = block.astype(np.float64)
        self._count += len(block)
        self._sum += float(exact.sum())
        self._squares += float(np.square(exact, out=exact).sum())
        if self._room:
            self._kept.append(block[: self._room].copy())
            self._room -= len(self._kept[-1])


def _mono_blocks(sound: Any) -> Iterator[Samples]:
    """The mean of the channels, block by block: column sums, which cost 1/30 of numpy's `mean(1)`."""
    channels = int(sound.channels)
    buffer = np.empty((max(1, BLOCK_SAMPLES // channels), channels), np.float32)
    while frames := int(sound.buffer_read_into(buffer, dtype="float32")):
        mono = buffer[:frames, 0].copy()
        for channel in range(1, channels):
            mono += buffer[:frames, channel]
        if channels > 1:
            mono *= np.float32(1 / channels)
        yield mono


def _check_header(sound: Any, container: Container, max_seconds: float) -> None:
    rate_hz, channels, frames = int(sound.samplerate), int(sound.channels), int(sound.frames)
    found = "WAV" if sound.format == "WAVEX" else sound.format
    if found != container or (container == "MP3" and sound.subtype != "MPEG_LAYER_III"):
        raise UnreadableAudio(f"not a sound file of a known format; {ACCEPTED}")
    if not MIN_SAMPLE_RATE_HZ <= rate_hz <= MAX_SAMPLE_RATE_HZ:
        bounds = f"{MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz"
        raise UnreadableAudio(f"the sample rate is {rate_hz} Hz; {bounds} are accepted", actual=rate_hz)
    if channels > MAX_CHANNELS:
        detail = f"the sound has {channels} channels; up to {MAX_CHANNELS} are accepted"
        raise UnreadableAudio(detail, limit=MAX_CHANNELS, actual=channels)
    if max_seconds * rate_hz < frames < UNKNOWN_FRAMES:
        seconds = round(frames / rate_hz, 3)
        raise AudioTooLong(
            f"the sound is {seconds:g} s long; {max_seconds:g} s are accepted", limit=max_seconds, actual=seconds
        )


@contextmanager
def _opened(data: bytes, max_seconds: float) -> Iterator[Any]:
    """The file with its header checked, for the library's reader."""
    container = sniff_container(data)
    if container is None:
        what = "0 bytes" if not data else "not a sound file of a known format"
        raise UnreadableAudio(f"{what}; {ACCEPTED}")
    if not holds_known_codec(data, container):
        raise UnreadableAudio(f"the {container} file holds no sound of a known codec; {ACCEPTED}")
    with _decoder_errors(container), _ForwardReader(_ClampedBytes(data)) as sound:
        _check_header(sound, container, max_seconds)
        yield sound


@contextmanager
def _decoder_errors(container: Container) -> Iterator[None]:
    """Turn what libsndfile and its wrapper raise into `UnreadableAudio`; their messages name addresses."""
    try:
        with np.errstate(all="ignore"):
            yield
    except (AudioTooLong, UnreadableAudio):
        raise
    except MemoryError as error:
        raise DecoderOutOfMemory(OUT_OF_MEMORY) from error
    except Exception as error:
        raise UnreadableAudio(f"the {container} file is damaged or cut off; {ACCEPTED}") from error


class _ForwardReader(soundfile.SoundFile):  # type: ignore[misc]  # the library has no types
    """Reads straight through. The base class seeks after every read, which fails for FLAC of unknown length."""

    def seekable(self) -> bool:
        return False


class _ClampedBytes(io.BytesIO):
    """Keeps a seek inside the data: an offset of a broken header must not raise inside the library's callback."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        size = self.getbuffer().nbytes
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: size}.get(whence, 0)
        return super().seek(min(max(0, base + offset), size))
