"""What sources pass through or strike: vocal tracts, bodies, bars and strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.sounds.oscillators import fast_length, frequencies_hz
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave

_BLOCK = 128

Formant = tuple[float, float, float]  # centre in Hz, width in Hz, gain


def formants(wave: Wave, resonances: Sequence[Formant], floor: float = 0.02) -> Wave:
    """The wave through parallel resonances, without phase shift; `floor` is what passes beside them."""
    length = fast_length(len(wave))
    frequencies = frequencies_hz(length)
    gain = np.full(len(frequencies), floor, dtype=np.float32)
    for centre_hz, width_hz, height in resonances:
        offsets = (frequencies - np.float32(centre_hz)) * np.float32(2.0 / width_hz)
        gain += np.float32(height) / (1.0 + offsets * offsets)
    shaped = np.fft.irfft(np.fft.rfft(wave.astype(np.float32), length) * gain, length)
    return shaped[: len(wave)].astype(np.float64)


def glide(wave: Wave, first: Sequence[Formant], second: Sequence[Formant], weight: Wave) -> Wave:
    """The wave through one vocal tract that turns into another; `weight` [n] is the share of the second."""
    return formants(wave, first) * (1.0 - weight) + formants(wave, second) * weight


def struck(samples: int, modes: Sequence[tuple[float, float, float]]) -> Wave:
    """A struck body: modes of (Hz, time constant in seconds, gain) that die away exponentially.

    Each mode is the imaginary part of a power of one complex number; powers of blocks times powers within a block give
    all of them without a sine for each sample.
    """
    wave = np.zeros(samples)
    within = np.arange(_BLOCK)
    for hz, time_constant_s, gain in modes:
        if hz < 0.49 * SAMPLE_RATE_HZ:
            heard = min(samples, int(7.0 * time_constant_s * SAMPLE_RATE_HZ) + 1)
            growth = (2j * np.pi * hz - 1.0 / time_constant_s) / SAMPLE_RATE_HZ
            starts = gain * np.exp(growth * np.arange(0, heard, _BLOCK))[:, None]
            turns = np.exp(growth * within)
            wave[:heard] += (starts.real * turns.imag + starts.imag * turns.real).reshape(-1)[:heard]
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
