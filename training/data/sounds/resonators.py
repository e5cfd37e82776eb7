"""What sources pass through or strike: vocal tracts, bodies, bars and strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.sounds.oscillators import clock_s, fast_length
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave

Formant = tuple[float, float, float]  # centre in Hz, width in Hz, gain


def formants(wave: Wave, resonances: Sequence[Formant], floor: float = 0.02) -> Wave:
    """The wave through parallel resonances, without phase shift; `floor` is what passes beside them."""
    length = fast_length(len(wave))
    frequencies = np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE_HZ)
    gain = np.full(len(frequencies), floor)
    for centre_hz, width_hz, height in resonances:
        gain += height / (1.0 + ((frequencies - centre_hz) / (0.5 * width_hz)) ** 2)
    shaped: Wave = np.fft.irfft(np.fft.rfft(wave, length) * gain, length)[: len(wave)]
    return shaped


def glide(wave: Wave, first: Sequence[Formant], second: Sequence[Formant], weight: Wave) -> Wave:
    """The wave through one vocal tract that turns into another; `weight` [n] is the share of the second."""
    return formants(wave, first) * (1.0 - weight) + formants(wave, second) * weight


def struck(samples: int, modes: Sequence[tuple[float, float, float]]) -> Wave:
    """A struck body: modes of (Hz, time constant in seconds, gain) that die away exponentially."""
    wave = np.zeros(samples)
    for hz, time_constant_s, gain in modes:
        if hz < 0.49 * SAMPLE_RATE_HZ:
            heard = min(samples, int(7.0 * time_constant_s * SAMPLE_RATE_HZ) + 1)
            times = clock_s(heard)
            wave[:heard] += gain * np.exp(-times / time_constant_s) * np.sin(2.0 * np.pi * hz * times)
    return wave


def plucked(performance: Performance, samples: int, pitch_hz: float, damping: float = 0.997) -> Wave:
    """A plucked string, by Karplus and Strong's loop (1983), all its turns at once.

    Each turn multiplies the harmonic spectrum of the string by the loop's gain: the mean of two neighbours, damped.
    """
    period = max(8, int(SAMPLE_RATE_HZ / pitch_hz))
    excitation = performance.generator.uniform(-1.0, 1.0, period)
    spectrum = np.fft.rfft(excitation - excitation.mean())
    angles = np.pi * np.arange(len(spectrum)) / period
    turns = np.arange(samples * pitch_hz / SAMPLE_RATE_HZ + 2.0)[:, None]
    gains = (damping * np.cos(angles)) ** turns
    loops = np.fft.irfft(spectrum * gains, period).reshape(-1)
    wave: Wave = np.interp(np.arange(samples) * (period * pitch_hz / SAMPLE_RATE_HZ), np.arange(len(loops)), loops)
    return wave


def pulses(phase: Wave, shape: Wave) -> Wave:
    """One copy of `shape` at each whole turn of `phase` ([n], rising, in turns), each heard to its end."""
    whole = np.floor(phase)
    strokes = np.zeros(len(phase))
    strokes[1:] = np.diff(whole)
    length = fast_length(len(phase) + len(shape))
    wave: Wave = np.fft.irfft(np.fft.rfft(strokes, length) * np.fft.rfft(shape, length), length)[: len(phase)]
    return wave
