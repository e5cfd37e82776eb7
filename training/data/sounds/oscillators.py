"""Sources: harmonic tones, noise bands, grains, and the curves that shape them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave

_TABLE_LENGTH = 4096
_HIGHEST_HZ = 7_800.0


def fast_length(samples: int) -> int:
    """A length not below `samples` whose Fourier transform is fast."""
    power = 1 << max(3, samples.bit_length() - 1)
    return power if power >= samples else -(-samples // (power // 8)) * (power // 8)


def tone(pitch_hz: Wave, amplitudes: Wave) -> Wave:
    """A harmonic tone.

    Args:
        pitch_hz: [n], the fundamental at each sample.
        amplitudes: [k], of the fundamental and its overtones; those that would pass 7,800 Hz are left out.
    """
    kept = amplitudes[: max(1, int(_HIGHEST_HZ / pitch_hz.max()))]
    spectrum = np.zeros(_TABLE_LENGTH // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(kept) + 1] = -0.5j * _TABLE_LENGTH * kept
    table = np.fft.irfft(spectrum)
    place = np.cumsum(pitch_hz) * (_TABLE_LENGTH / SAMPLE_RATE_HZ)
    below = place.astype(np.int64)
    here = table[below & (_TABLE_LENGTH - 1)]
    following = table[(below + 1) & (_TABLE_LENGTH - 1)]
    wave: Wave = here + (place - below) * (following - here)
    return wave


def rolloff(tilt: float, count: int = 80) -> Wave:
    """Amplitudes of `count` harmonics that fall as 1 / number ** tilt."""
    amplitudes: Wave = np.arange(1.0, count + 1.0) ** -tilt
    return amplitudes


def odd_only(amplitudes: Wave) -> Wave:
    """The same without the even harmonics, as of a closed tube or a square wave."""
    kept: Wave = amplitudes * (np.arange(len(amplitudes)) % 2 == 0)
    return kept


def curve(samples: int, *points: float) -> Wave:
    """A line through evenly spaced values, rounded at its corners by half a cosine: [samples]."""
    place = np.linspace(0.0, len(points) - 1.0, samples)
    below = np.minimum(place.astype(np.int64), len(points) - 2)
    weight = 0.5 - 0.5 * np.cos(np.pi * (place - below))
    values = np.asarray(points)
    line: Wave = values[below] * (1.0 - weight) + values[below + 1] * weight
    return line


def clock_s(samples: int) -> Wave:
    """The time of each sample in seconds."""
    times: Wave = np.arange(samples) / SAMPLE_RATE_HZ
    return times


def sine(samples: int, hz: float, phase: float = 0.0) -> Wave:
    """A sine; `phase` in turns."""
    wave: Wave = np.sin(2.0 * np.pi * (hz * clock_s(samples) + phase))
    return wave


def swell(samples: int, attack_s: float, release_s: float) -> Wave:
    """1 with raised-cosine flanks at both ends."""
    times = clock_s(samples)
    rising = np.minimum(1.0, times / max(attack_s, 1e-4))
    falling = np.minimum(1.0, times[::-1] / max(release_s, 1e-4))
    shape: Wave = 0.25 * (1.0 - np.cos(np.pi * rising)) * (1.0 - np.cos(np.pi * falling))
    return shape


def decay(samples: int, time_constant_s: float, attack_s: float = 0.001) -> Wave:
    """Falls to 1 / e in each time constant, after a short attack."""
    times = clock_s(samples)
    shape: Wave = np.exp(-times / time_constant_s) * np.minimum(1.0, times / attack_s)
    return shape


def wander(performance: Performance, samples: int, rate_hz: float, depth: float) -> Wave:
    """A slow random curve around 1, within ± `depth`."""
    knots = max(2, int(samples / SAMPLE_RATE_HZ * rate_hz) + 2)
    return curve(samples, *(1.0 + depth * performance.generator.uniform(-1.0, 1.0, knots)))


def noise(performance: Performance, samples: int, band_hz: tuple[float, float], tilt_db: float = 0.0) -> Wave:
    """Noise of a band with edges of 24 dB per octave, standard deviation 1; `tilt_db` per octave within it."""
    length = fast_length(samples)
    squares = frequencies_hz(length) ** 2
    low, high = np.float32(band_hz[0] ** 2) / squares, squares / np.float32(band_hz[1] ** 2)
    low, high = low * low, high * high
    gain = 1.0 / np.sqrt((1.0 + low * low) * (1.0 + high * high))
    if tilt_db:
        gain *= squares ** np.float32(tilt_db / 12.04)
    parts = performance.generator.standard_normal(2 * len(squares), dtype=np.float32).view(np.complex64)
    shaped = np.fft.irfft(gain * parts, length)[:samples]
    wave: Wave = shaped.astype(np.float64)
    return wave / (float(shaped.std()) + 1e-12)


@lru_cache(maxsize=256)
def frequencies_hz(length: int) -> NDArray[np.float32]:
    """The frequencies of a real transform of this length, with the next one in place of zero; not to be changed."""
    frequencies = np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE_HZ).astype(np.float32)
    frequencies[0] = frequencies[1]
    frequencies.flags.writeable = False
    return frequencies


def scatter(performance: Performance, samples: int, rate_hz: float, grains: Sequence[Wave]) -> Wave:
    """Grains at random times, each of its own random loudness.

    Args:
        performance: the randomness.
        samples: length of the result.
        rate_hz: how many grains of all kinds come in a second, on average.
        grains: the kinds, equally frequent.
    """
    length = fast_length(samples + max(len(grain) for grain in grains))
    spectrum = np.zeros(length // 2 + 1, dtype=np.complex128)
    count = max(1, int(performance.generator.poisson(rate_hz * samples / SAMPLE_RATE_HZ / len(grains))))
    for grain in grains:
        places = performance.generator.integers(0, samples, count)
        loudness = performance.generator.exponential(1.0, count) * performance.generator.choice((-1.0, 1.0), count)
        spectrum += np.fft.rfft(np.bincount(places, loudness, samples), length) * np.fft.rfft(grain, length)
    wave: Wave = np.fft.irfft(spectrum, length)[:samples]
    return wave
