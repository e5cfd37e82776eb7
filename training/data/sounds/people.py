"""People and play."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import curve, decay, noise, odd_only, rolloff, swell, tone, wander
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import formants, struck


@recipe("baby")
def cry(performance: Performance) -> Wave:
    """Tense "waah", again and again, with a gasp between."""
    pitch = performance.hz(430.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.38, 0.44))
        voice = tone(
            pitch * curve(samples, 0.85, 1.12, 1.08, 0.9) * wander(performance, samples, 40, 0.015), rolloff(0.3)
        )
        vowel = formants(voice, ((1100.0, 250.0, 1.0), (1650.0, 300.0, 0.5), (3700.0, 500.0, 0.7)))
        gasp_samples = sample_count(0.1)
        gasp = noise(performance, gasp_samples, (1500.0, 4500.0)) * swell(gasp_samples, 0.04, 0.04)
        whole = np.zeros(samples + gasp_samples)
        add_at(whole, vowel * swell(samples, 0.03, 0.1), 0.0)
        add_at(whole, gasp, samples / SAMPLE_RATE_HZ, 0.1 * float(np.abs(vowel).max()))
        return whole

    return performance.repeat(one, 1.0 / performance.per_second(1.75))


@recipe("hands")
def clap(performance: Performance) -> Wave:
    """Some pairs of hands that clap nearly together, five times a second."""
    hollows = [performance.hz(1150.0) * performance.between(0.85, 1.2) for _ in range(3)]

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.14))
        samples = sample_count(0.07)
        for hollow_hz in hollows:
            palm = noise(performance, samples, (0.75 * hollow_hz, 1.5 * hollow_hz)) * decay(samples, 0.012)
            add_at(whole, palm, performance.between(0.0, 0.03), performance.between(0.6, 1.0))
        return whole

    return performance.repeat(one, 1.0 / performance.per_second(5.0), jitter=0.06)


@recipe("footprints")
def walk(performance: Performance) -> Wave:
    """Soft steps on gravel: the heel, then the sole that rolls."""

    def one(_: int) -> Wave:
        samples = sample_count(0.24)
        heel = struck(samples, ((performance.hz(95.0), 0.018, 1.0),))
        gravel = noise(performance, samples, (900.0, 4500.0)) * np.abs(noise(performance, samples, (20.0, 120.0)))
        return 1.3 * heel + 0.22 * gravel * curve(samples, 0.5, 0.35, 1.0, 0.5, 0.1, 0.0)

    return performance.repeat(one, 1.0 / performance.per_second(2.3), jitter=0.03)


@recipe("heart")
def beat(performance: Performance) -> Wave:
    """Lub-dub: two dull thumps, the second shorter and higher."""
    low_hz = performance.hz(52.0)

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.5))
        for start_s, hz, gain in ((0.0, low_hz, 1.0), (0.19, 1.35 * low_hz, 0.7)):
            add_at(whole, struck(sample_count(0.2), ((hz, 0.045, 1.0), (1.9 * hz, 0.03, 0.5))), start_s, gain)
        return whole

    return performance.repeat(one, 1.0 / performance.per_second(1.75), jitter=0.02)


@recipe("robot")
def bleep(performance: Performance) -> Wave:
    """Bleeps that jump to any pitch, ten a second, some sliding."""

    def one(_: int) -> Wave:
        samples = sample_count(0.085)
        start = performance.hz(900.0) * 2.0 ** performance.between(-1.2, 1.2)
        slide = 2.0 ** float(performance.generator.choice((0.0, 0.0, 0.8, -0.8)))
        return tone(start * curve(samples, 1.0, slide), odd_only(rolloff(1.3, 9))) * swell(samples, 0.005, 0.01)

    return performance.repeat(one, 1.0 / performance.per_second(10.0), jitter=0.01)


@recipe("basketball")
def bounce(performance: Performance) -> Wave:
    """A ball let fall: bounces that come faster and weaker, each with a short hollow ring."""

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(1.4))
        start_s, gap_s, gain = 0.0, 0.34 / performance.take.tempo, 1.0
        pitch = performance.hz(105.0)
        while gap_s > 0.07:
            ring = ((pitch, 0.03, 1.0), (560.0 * pitch / 105.0, 0.035, 0.35), (900.0 * pitch / 105.0, 0.02, 0.25))
            add_at(whole, struck(sample_count(0.25), ring), start_s, gain)
            start_s, gap_s, gain = start_s + gap_s, 0.78 * gap_s, 0.86 * gain
        return whole

    return performance.repeat(one, 1.35 / performance.take.tempo)
