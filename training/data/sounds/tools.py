"""Tools at work."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import curve, decay, noise, swell
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import struck


@recipe("hammer")
def hammering(performance: Performance) -> Wave:
    """Iron on iron: a thump and a short hard ring, three a second."""
    pitch = performance.hz(1500.0)
    iron = ((pitch, 0.035, 1.0), (1.58 * pitch, 0.03, 0.8), (2.76 * pitch, 0.02, 0.7), (3.4 * pitch, 0.015, 0.5))

    def one(_: int) -> Wave:
        samples = sample_count(0.25)
        return struck(samples, (*iron, (performance.hz(210.0), 0.012, 1.6))) * performance.between(0.8, 1.0)

    return performance.repeat(one, 1.0 / performance.per_second(3.0), jitter=0.03)


@recipe("saw")
def sawing(performance: Performance) -> Wave:
    """Strokes to and fro, five a second, each a rasp of some 120 teeth a second."""
    teeth_hz = performance.hz(120.0)

    def one(number: int) -> Wave:
        pushed = number % 2 == 0
        samples = sample_count(0.17 / performance.take.tempo)
        speed = curve(samples, 0.6, 1.15, 0.6)
        rasp: Wave = np.abs(np.sin(np.pi * np.cumsum(teeth_hz * speed) / SAMPLE_RATE_HZ)) ** 4
        band = (900.0, 3800.0) if pushed else (1700.0, 5500.0)
        stroke: Wave = noise(performance, samples, band) * rasp * swell(samples, 0.05, 0.05)
        return stroke * (1.0 if pushed else 0.6)

    return performance.repeat(one, 0.2 / performance.take.tempo, jitter=0.02)


@recipe("axe")
def chop(performance: Performance) -> Wave:
    """A heavy blow into wood that splits and splinters, twice a second."""

    def one(_: int) -> Wave:
        samples = sample_count(0.3)
        blow = struck(samples, ((performance.hz(115.0), 0.035, 1.2), (performance.hz(390.0), 0.02, 0.8)))
        crack = noise(performance, samples, (500.0, 3500.0), -2.0)
        splinters = crack * (decay(samples, 0.012) + 0.25 * decay(samples, 0.06, 0.03))
        return blow + 0.9 * splinters

    return performance.repeat(one, 1.0 / performance.per_second(2.1), jitter=0.05)


@recipe("scissors")
def snip(performance: Performance) -> Wave:
    """Blades that slide with a rising hiss and meet with a click."""

    def one(_: int) -> Wave:
        slide = sample_count(0.11)
        low, high = noise(performance, slide, (2600.0, 4200.0)), noise(performance, slide, (4800.0, 7600.0))
        blades = low * curve(slide, 0.3, 0.4, 0.0) + high * curve(slide, 0.0, 0.3, 0.8)
        whole = np.zeros(slide + 700)
        add_at(whole, blades, 0.0, 0.6)
        snap = struck(700, ((performance.hz(5200.0), 0.006, 1.0), (performance.hz(3500.0), 0.008, 1.0)))
        add_at(whole, snap, slide / SAMPLE_RATE_HZ, 1.3)
        return whole

    return performance.repeat(one, 1.0 / performance.per_second(3.4), jitter=0.04)
