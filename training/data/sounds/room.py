"""Where a sound is heard: the room's echo, the noise around, and how loud it comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.sounds.oscillators import fast_length, frequencies_hz, noise, tone
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, sample_count


@dataclass(frozen=True, slots=True)
class Room:
    """An echo: early reflections and a tail of dying noise."""

    decay_s: float  # time to fall by 60 dB
    size_s: float  # time of the first reflection
    dullness_hz: float  # above this the tail is damped
    wet: float  # the echo's energy as a share of the direct sound's


@dataclass(frozen=True, slots=True)
class Noise:
    """A steady background."""

    low_hz: float
    high_hz: float
    tilt_db: float  # per octave
    hum_hz: float  # mains and motors; 0 for none


ROOMS = tuple(
    Room(decay_s, size_s, dullness_hz, wet)
    for decay_s, sizes_wets in (
        (0.08, ((0.002, 0.10), (0.004, 0.16), (0.003, 0.22))),
        (0.15, ((0.004, 0.08), (0.003, 0.14), (0.006, 0.24))),
        (0.28, ((0.005, 0.09), (0.009, 0.16), (0.007, 0.2))),
        (0.45, ((0.008, 0.06), (0.012, 0.11), (0.016, 0.15))),
    )
    for (size_s, wet), dullness_hz in zip(sizes_wets * 2, (2500.0, 5500.0, 3800.0, 6500.0, 3000.0, 4600.0), strict=True)
)

OPEN_AIR = Room(decay_s=0.01, size_s=0.001, dullness_hz=6000.0, wet=0.001)

NOISES = tuple(
    Noise(low_hz, high_hz, tilt_db, hum_hz)
    for low_hz, high_hz in ((30.0, 7500.0), (120.0, 5000.0), (60.0, 2500.0), (300.0, 7000.0))
    for tilt_db, hum_hz in ((0.0, 0.0), (-3.0, 50.0), (-6.0, 0.0), (-4.5, 120.0), (-1.5, 100.0), (-3.0, 0.0))
)


def echo(performance: Performance, wave: Wave, room: Room) -> Wave:
    """The wave in the room, of the same length."""
    tail_samples = sample_count(room.decay_s + room.size_s)
    generator = performance.generator
    response = generator.standard_normal(tail_samples, dtype=np.float32)
    response *= np.exp(np.arange(tail_samples, dtype=np.float32) * np.float32(-6.9 / (room.decay_s * SAMPLE_RATE_HZ)))
    response[: sample_count(room.size_s)] = 0.0
    early = (sample_count(room.size_s) * generator.uniform(1.0, 4.0, 6)).astype(np.int64)
    response[np.minimum(early, tail_samples - 1)] += generator.uniform(-4.0, 4.0, 6)
    response *= np.sqrt(room.wet / float((response**2).sum()))
    length = fast_length(len(wave) + tail_samples)
    frequencies = frequencies_hz(length)
    squares = (frequencies * np.float32(1.0 / room.dullness_hz)) ** 2
    transfer = np.fft.rfft(response, length) / np.sqrt(1.0 + squares * squares) + np.float32(1.0)
    transfer *= (np.maximum(frequencies, 60.0) * np.float32(1e-3)) ** np.float32(performance.take.brightness_db / 6.02)
    heard = np.fft.irfft(np.fft.rfft(wave.astype(np.float32), length) * transfer, length)[: len(wave)]
    return heard.astype(np.float64)


def background(performance: Performance, kind: Noise) -> Wave:
    """The noise of the place, standard deviation 1."""
    samples = performance.samples
    surrounding = noise(performance, samples, (kind.low_hz, kind.high_hz), kind.tilt_db)
    if kind.hum_hz:
        pitch_hz = np.full(samples, kind.hum_hz)
        surrounding += performance.between(0.2, 0.8) * tone(pitch_hz, np.array([1.0, 0.4]))
    return surrounding / float(surrounding.std())


def place(
    performance: Performance,
    wave: Wave,
    room: Room | None,
    kind: Noise,
    above_noise_db: tuple[float, float] = (12.0, 40.0),
) -> Wave:
    """The wave as it is heard somewhere, its peak at −30 to −3 dB of full scale.

    Args:
        performance: the randomness, and the brightness of the take.
        wave: [performance.samples], dry.
        room: None for the open air.
        kind: of the background.
        above_noise_db: least and greatest distance of the sound's mean loudness from the background's.
    """
    heard = echo(performance, wave, room or OPEN_AIR)
    loudness = float(np.sqrt((heard**2).mean())) + 1e-9
    noise_gain = loudness * 10.0 ** (-performance.between(*above_noise_db) / 20.0)
    heard = heard + noise_gain * background(performance, kind)
    placed: Wave = heard * (10.0 ** (-performance.between(3.0, 30.0) / 20.0) / (float(np.abs(heard).max()) + 1e-9))
    return placed
