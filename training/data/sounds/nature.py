"""Weather, water and fire: noise that moves, and grains of it."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import clock_s, curve, decay, noise, scatter, swell, tone, wander
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import struck


def bubble(samples: int, start_hz: float, rise: float, time_constant_s: float) -> Wave:
    """A bubble under water: a dying sine whose pitch rises by the factor `rise` (after van den Doel, 2005)."""
    pitch_hz = start_hz * curve(samples, 1.0, rise)
    ringing: Wave = np.sin(2.0 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ) * decay(samples, time_constant_s)
    return ringing


@recipe("rain")
def patter(performance: Performance) -> Wave:
    """Hundreds of drops a second, each a short knock, in a wide hiss."""
    tints = [performance.hz(hz) for hz in (900.0, 1500.0, 2300.0, 3400.0)]
    drops = [struck(sample_count(0.012), ((hz, 0.0016, 1.0),)) for hz in tints]
    falling = scatter(performance, performance.samples, performance.per_second(420.0), drops)
    falling /= float(falling.std())
    return falling + 0.35 * noise(performance, performance.samples, (600.0, 7500.0), -1.0)


@recipe("lightning")
def thunder(performance: Performance) -> Wave:
    """A crack that tears, then a low rumble that rolls away."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(1.5, 2.2))
        rumble = noise(performance, samples, (25.0, 150.0), -1.0) * wander(performance, samples, 9, 0.6)
        crack_samples = sample_count(0.3)
        tearing = noise(performance, crack_samples, (150.0, 4000.0), -3.0)
        tearing *= decay(crack_samples, 0.07, 0.004) * wander(performance, crack_samples, 70, 0.9)
        clap = rumble * curve(samples, 0.5, 0.9, 0.6, 0.3, 0.15, 0.0) * 0.8
        add_at(clap, tearing, 0.0, 3.0)
        return clap

    return performance.repeat(one, 2.3)


@recipe("wind")
def blow(performance: Performance) -> Wave:
    """A howl of noise whose narrow band and loudness move slowly."""
    samples = performance.samples
    low_hz = performance.hz(430.0)
    bands = [noise(performance, samples, (low_hz * step, low_hz * step * 1.25)) for step in (1.0, 1.45, 2.1)]
    place = np.clip(
        curve(samples, *performance.generator.uniform(0.0, 2.0, max(3, int(2.5 * performance.seconds)))), 0, 2
    )
    moving = sum((band * np.maximum(0.0, 1.0 - np.abs(place - k)) for k, band in enumerate(bands)), np.zeros(samples))
    return moving * wander(performance, samples, 2, 0.35) + 0.1 * noise(performance, samples, (80.0, 900.0), -3.0)


@recipe("wave")
def surf(performance: Performance) -> Wave:
    """A swell that rises dull, breaks bright, and runs out as foam."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.95, 1.1) / performance.take.tempo)
        deep = noise(performance, samples, (80.0, 500.0), -2.0) * curve(samples, 0.1, 0.7, 1.0, 0.3, 0.1, 0.0)
        crash = noise(performance, samples, (500.0, 3000.0), -2.0) * curve(samples, 0.0, 0.1, 0.9, 0.5, 0.15, 0.05)
        foam = noise(performance, samples, (3000.0, 7500.0)) * curve(samples, 0.0, 0.0, 0.3, 0.6, 0.4, 0.05)
        return deep + crash + 0.7 * foam

    return performance.repeat(one, 1.05 / performance.take.tempo)


@recipe("fire")
def crackle(performance: Performance) -> Wave:
    """Snaps of wood at random over a soft low breath."""
    samples = performance.samples
    snaps = [struck(sample_count(0.02), ((performance.hz(hz), 0.0012, 1.0),)) for hz in (1300.0, 2600.0, 4200.0)]
    burning = scatter(performance, samples, performance.per_second(45.0), snaps)
    breath = noise(performance, samples, (150.0, 500.0), -1.0) * wander(performance, samples, 6, 0.4)
    return burning + 0.035 * breath * float(np.abs(burning).max())


@recipe("water drop")
def drip(performance: Performance) -> Wave:
    """Single drops: a click and a bubble that rises, three a second."""
    pitch = performance.hz(900.0)

    def one(_: int) -> Wave:
        samples = sample_count(0.16)
        drop = bubble(samples, pitch * performance.between(0.92, 1.08), 2.1, 0.03)
        add_at(drop, struck(200, ((4200.0, 0.001, 1.0),)), 0.0, 0.3)
        return drop

    return performance.repeat(one, 1.0 / performance.per_second(3.0), jitter=0.12)


@recipe("toilet")
def flush(performance: Performance) -> Wave:
    """A rush of water full of gurgles that drains away, its gurgling sinking."""
    samples = performance.samples
    gurgles = [bubble(sample_count(0.06), performance.hz(hz), 1.3, 0.016) for hz in (280.0, 400.0, 560.0, 800.0)]
    gurgling = scatter(performance, samples, performance.per_second(110.0), gurgles)
    rush = noise(performance, samples, (250.0, 2200.0), -3.0)
    draining = curve(samples, 0.4, 1.0, 0.8, 0.6, 0.4)
    return (gurgling / float(gurgling.std()) + 0.5 * rush) * draining


@recipe("fireworks")
def explode(performance: Performance) -> Wave:
    """A whistle that climbs, a bang, and a shower of crackles."""

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(1.1))
        rise = sample_count(0.3)
        whistle = tone(performance.hz(1900.0) * curve(rise, 0.75, 1.6), np.array([1.0, 0.1]))
        add_at(whole, whistle * swell(rise, 0.05, 0.02), 0.0, 0.35)
        boom = sample_count(0.5)
        add_at(whole, noise(performance, boom, (40.0, 900.0), -2.0) * decay(boom, 0.09), 0.33, 0.8)
        rest = sample_count(0.6)
        sparks = scatter(performance, rest, 90.0, (struck(100, ((3600.0, 0.0012, 1.0), (5200.0, 0.001, 1.0))),))
        add_at(whole, sparks * curve(rest, 0.0, 1.0, 0.6, 0.0), 0.42, 0.4)
        return whole

    return performance.repeat(one, 1.05 / performance.take.tempo)


@recipe("frying pan")
def sizzle(performance: Performance) -> Wave:
    """A dense high sputter of fat with a spit now and then."""
    samples = performance.samples
    spits = [struck(60, ((performance.hz(hz), 0.0004, 1.0),)) for hz in (3600.0, 4800.0, 5900.0)]
    sputter = scatter(performance, samples, 900.0, spits)
    sputter *= wander(performance, samples, 25, 0.7) / float(sputter.std())
    pops = scatter(performance, samples, 9.0, (struck(300, ((performance.hz(2100.0), 0.003, 1.0),)),))
    return sputter + 2.0 * pops


@recipe("teapot")
def whistle(performance: Performance) -> Wave:
    """A steady shrill whistle near 2.8 kHz with steam around it, climbing as it begins."""
    samples = performance.samples
    begin = np.minimum(1.0, 0.88 + 0.2 * clock_s(samples))
    pitch_hz = performance.hz(2900.0) * begin * wander(performance, samples, 12, 0.006)
    jet = tone(pitch_hz, np.array([1.0, 0.12])) + 0.55 * tone(1.06 * pitch_hz, np.array([1.0]))
    return jet * wander(performance, samples, 25, 0.15) + 0.14 * noise(performance, samples, (2000.0, 7000.0))
