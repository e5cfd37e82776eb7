"""Vehicles: engines as trains of shots, horns as reeds, jets as noise."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import clock_s, curve, noise, rolloff, scatter, swell, tone, wander
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import formants, pulses, struck


@recipe("car")
def honk(performance: Performance) -> Wave:
    """Two steady reeds a third apart, honked twice a second."""
    low = performance.hz(400.0)
    length_s, every_s = 0.24, 0.42 / performance.take.tempo

    def one(_: int) -> Wave:
        samples = sample_count(length_s)
        start = curve(samples, *([0.97] + [1.0] * 11))
        horns = tone(low * start, rolloff(0.35)) + tone(1.26 * low * start, rolloff(0.35))
        return formants(horns, ((700.0, 500.0, 0.7), (2300.0, 900.0, 1.0))) * swell(samples, 0.012, 0.03)

    return performance.repeat(one, every_s, jitter=0.02)


@recipe("motorcycle")
def rev(performance: Performance) -> Wave:
    """Shots whose rate is twisted up and let down, twice a second."""
    pipe = struck(sample_count(0.06), ((performance.hz(170.0), 0.012, 1.0), (performance.hz(620.0), 0.005, 0.6)))
    twists_hz = performance.per_second(1.9)
    turn = 0.5 - 0.5 * np.cos(2.0 * np.pi * (clock_s(performance.samples) * twists_hz + performance.between(0.0, 1.0)))
    firing_hz = performance.hz(55.0) * (1.0 + 2.2 * turn) * wander(performance, performance.samples, 30, 0.05)
    shots = pulses(np.cumsum(firing_hz) / SAMPLE_RATE_HZ, pipe)
    rasp = noise(performance, performance.samples, (400.0, 3500.0)) * np.abs(shots)
    return (shots + 0.5 * rasp) * (0.5 + 0.8 * turn)


@recipe("train")
def chug(performance: Performance) -> Wave:
    """Puffs of steam, five a second, the first of four the strongest."""

    def one(number: int) -> Wave:
        samples = sample_count(0.17)
        puff = noise(performance, samples, (350.0, 1700.0)) + 0.6 * noise(performance, samples, (60.0, 200.0))
        return puff * curve(samples, 0.0, 1.0, 0.5, 0.2, 0.0) * (1.0 if number % 4 == 0 else 0.55)

    hiss = noise(performance, performance.samples, (2500.0, 6000.0))
    return performance.repeat(one, 1.0 / performance.per_second(5.0), jitter=0.01) + 0.03 * hiss


@recipe("helicopter")
def rotor(performance: Performance) -> Wave:
    """Blades that slap the air twelve times a second, under the whine of a turbine."""
    samples = performance.samples
    phase = clock_s(samples) * performance.per_second(12.5) + performance.between(0.0, 1.0)
    slap = np.maximum(0.0, np.sin(2.0 * np.pi * phase)) ** 3
    air = noise(performance, samples, (90.0, 700.0), -3.0) * (0.08 + slap)
    turbine = tone(performance.hz(2300.0) * wander(performance, samples, 3, 0.004), np.array([1.0, 0.0, 0.3]))
    return air + 0.22 * turbine + 0.05 * noise(performance, samples, (2000.0, 7000.0))


@recipe("airplane")
def fly_over(performance: Performance) -> Wave:
    """A jet that nears and leaves: roar, and a whine that sinks as it passes."""
    samples = performance.samples
    nearness = curve(samples, 0.35, 1.0, 0.45)
    whine_hz = performance.hz(2700.0) * curve(samples, 1.12, 1.0, 0.68)
    whine = tone(whine_hz, np.array([1.0])) + 0.5 * tone(1.31 * whine_hz, np.array([1.0]))
    roar = noise(performance, samples, (150.0, 1200.0), -2.0) + 0.4 * noise(
        performance, samples, (1500.0, 5000.0), -3.0
    )
    return (roar + 0.45 * whine * wander(performance, samples, 30, 0.3)) * nearness


@recipe("ship")
def horn(performance: Performance) -> Wave:
    """One very low steady blast with all its overtones."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.9, 1.3))
        low = np.full(samples, performance.hz(82.0))
        blast = tone(low, rolloff(0.5)) + 0.6 * tone(1.5 * low, rolloff(0.6))
        return formants(blast, ((220.0, 200.0, 1.0), (520.0, 300.0, 0.4)), 0.01) * swell(samples, 0.09, 0.15)

    return performance.repeat(one, 1.6)


@recipe("bicycle")
def ding(performance: Performance) -> Wave:
    """A small dome struck twice, ding-ding, with a high clear ring."""
    pitch = performance.hz(2250.0)
    modes = ((pitch, 0.16, 1.0), (1.01 * pitch, 0.14, 0.7), (2.18 * pitch, 0.07, 0.5), (2.9 * pitch, 0.04, 0.4))

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.75))
        for start_s in (0.0, 0.15):
            add_at(whole, struck(len(whole), modes), start_s, performance.between(0.8, 1.0))
        return whole

    return performance.repeat(one, 1.0 / performance.per_second(1.8))


@recipe("ambulance")
def wail(performance: Performance) -> Wave:
    """A siren that climbs and sinks about once a second."""
    samples = performance.samples
    turns = clock_s(samples) * performance.per_second(1.1) + performance.between(0.0, 1.0)
    pitch_hz = performance.hz(880.0) * 2.0 ** (0.62 * np.sin(2.0 * np.pi * turns))
    return formants(tone(pitch_hz, rolloff(1.0)), ((1100.0, 1200.0, 1.0), (2500.0, 1500.0, 0.6)), 0.1)


@recipe("tractor")
def putter(performance: Performance) -> Wave:
    """One big cylinder: eleven heavy pops a second, and loose iron."""
    samples = performance.samples
    phase = clock_s(samples) * performance.per_second(10.0) * wander(performance, samples, 8, 0.01)
    body = sample_count(0.09)
    pop = struck(body, ((performance.hz(88.0), 0.022, 1.0), (performance.hz(270.0), 0.014, 0.9)))
    pop += 0.25 * noise(performance, body, (300.0, 2500.0)) * curve(body, 1.0, 0.2, 0.05, 0.0)
    iron = struck(sample_count(0.03), ((1750.0, 0.004, 1.0), (2900.0, 0.003, 0.7)))
    return pulses(phase, pop) + 0.12 * pulses(2.0 * phase + 0.3, iron)


@recipe("rocket")
def lift_off(performance: Performance) -> Wave:
    """A deep roar that grows and tears the air."""
    samples = performance.samples
    roar = noise(performance, samples, (30.0, 260.0), -2.0) + 0.35 * noise(performance, samples, (300.0, 2500.0), -5.0)
    tear = scatter(
        performance, samples, 55.0, (struck(sample_count(0.02), ((320.0, 0.004, 1.0), (900.0, 0.002, 1.0))),)
    )
    growing = curve(samples, 0.15, 0.6, 1.0, 1.0)
    return np.tanh(1.5 * (roar + 0.4 * tear) * growing)
