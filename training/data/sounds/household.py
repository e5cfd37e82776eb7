"""Things of the house: bells, beeps, clicks and knocks."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import clock_s, curve, decay, noise, odd_only, rolloff, swell, tone
from training.data.sounds.performance import Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import pulses, struck


@recipe("telephone")
def ring_twice(performance: Performance) -> Wave:
    """Two gongs trilled by one clapper, rung twice and then silent a moment."""
    pitch, strokes_hz = performance.hz(1250.0), performance.per_second(22.0)
    gongs = [
        struck(sample_count(0.3), ((pitch * step, 0.06, 1.0), (2.4 * pitch * step, 0.03, 0.5))) for step in (1.0, 1.22)
    ]

    def one(_: int) -> Wave:
        samples = sample_count(0.34)
        phase = clock_s(samples) * strokes_hz
        trill = pulses(phase + 0.95, gongs[0]) + pulses(phase + 0.45, gongs[1])
        return trill * swell(samples, 0.001, 0.04)

    return performance.repeat(one, 0.5 / performance.take.tempo, jitter=0.01)


@recipe("alarm clock")
def beep(performance: Performance) -> Wave:
    """Square beeps in quick groups of four."""
    pitch = performance.hz(1950.0)

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.6))
        for number in range(4):
            samples = sample_count(0.055)
            square = tone(np.full(samples, pitch), odd_only(rolloff(1.0, 5)))
            add_at(whole, square * swell(samples, 0.004, 0.004), 0.105 * number / performance.take.tempo)
        return whole

    return performance.repeat(one, 0.62 / performance.take.tempo, jitter=0.005)


@recipe("clock")
def tick(performance: Performance) -> Wave:
    """Dry ticks and lower tocks, four a second, like clockwork."""
    pitch = performance.hz(2600.0)

    def one(number: int) -> Wave:
        hz = pitch if number % 2 == 0 else 0.8 * pitch
        return struck(600, ((hz, 0.004, 1.0), (2.3 * hz, 0.002, 0.7), (0.4 * hz, 0.005, 0.3)))

    return performance.repeat(one, 1.0 / performance.per_second(4.0), jitter=0.002)


@recipe("door")
def knock(performance: Performance) -> Wave:
    """Knocks on a hollow board, in threes."""
    pitch = performance.hz(190.0)

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.8))
        for number in range(3):
            board = ((pitch, 0.028, 1.0), (2.1 * pitch, 0.018, 0.7), (3.7 * pitch, 0.01, 0.4), (1600.0, 0.003, 0.3))
            add_at(whole, struck(sample_count(0.2), board), 0.17 * number / performance.take.tempo)
        return whole

    return performance.repeat(one, 0.88 / performance.take.tempo)


@recipe("keyboard")
def typing(performance: Performance) -> Wave:
    """Keys that clack down and up, nine a second, in no rhythm."""

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.12))
        hz = performance.hz(1750.0) * performance.between(0.85, 1.15)
        down = struck(500, ((hz, 0.004, 1.0), (2.4 * hz, 0.002, 0.8)))
        down += 0.4 * noise(performance, 500, (1500.0, 6000.0)) * decay(500, 0.005)
        add_at(whole, down, 0.0, performance.between(0.5, 1.0))
        add_at(whole, down, performance.between(0.05, 0.08), 0.3)
        return whole

    return performance.repeat(one, 1.0 / performance.per_second(9.0), jitter=0.35)


@recipe("camera")
def shutter(performance: Performance) -> Wave:
    """A click and a clack, then a little motor that winds on."""

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.45))
        for start_s, hz in ((0.0, 3300.0), (0.075, 2200.0)):
            click = noise(performance, 500, (performance.hz(hz), 7000.0)) * decay(500, 0.006)
            add_at(whole, click, start_s)
        samples = sample_count(0.24)
        motor = tone(performance.hz(460.0) * curve(samples, 0.7, 1.1, 1.15), rolloff(0.5, 16))
        add_at(whole, motor * swell(samples, 0.03, 0.03), 0.14, 0.22)
        return whole

    return performance.repeat(one, 0.56 / performance.take.tempo)
