"""Birds, insects, and what else is small."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import clock_s, curve, noise, odd_only, rolloff, sine, swell, tone, wander
from training.data.sounds.performance import Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import formants, pulses, struck


@recipe("rooster")
def crow(performance: Performance) -> Wave:
    """Cock-a-doodle-doo: two short notes, a higher one, and a long one that falls."""
    pitch = performance.hz(640.0)
    throat = ((1300.0, 500.0, 1.0), (2600.0, 700.0, 0.8))

    def one(_: int) -> Wave:
        tempo = performance.take.tempo
        whole = np.zeros(sample_count(1.0 / tempo))
        notes = ((0.0, 0.11, 0.85, 0.9), (0.15, 0.1, 1.05, 1.1), (0.28, 0.15, 1.25, 1.5), (0.46, 0.42, 1.6, 1.05))
        for start_s, length_s, first, last in notes:
            samples = sample_count(length_s / tempo)
            note = tone(pitch * curve(samples, first, 0.5 * (first + last) * 1.06, last), rolloff(0.5))
            add_at(whole, formants(note, throat) * swell(samples, 0.02, 0.05), start_s / tempo)
        return whole

    return performance.repeat(one, 1.15 / performance.take.tempo)


@recipe("duck")
def quack(performance: Performance) -> Wave:
    """Buzzing nasal quacks, four a second, each falling a little."""
    pitch = performance.hz(215.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.13, 0.16))
        buzz = tone(pitch * curve(samples, 1.1, 1.05, 0.8), rolloff(0.0))
        bill = ((1250.0, 250.0, 1.0), (2450.0, 350.0, 0.9), (3400.0, 500.0, 0.3))
        return formants(buzz, bill, 0.005) * swell(samples, 0.015, 0.06)

    return performance.repeat(one, 1.0 / performance.per_second(4.0))


@recipe("frog")
def croak(performance: Performance) -> Wave:
    """Croaks: trains of 34 hollow pops a second, twice a second."""
    hollow = struck(sample_count(0.05), ((performance.hz(620.0), 0.009, 1.0), (performance.hz(1500.0), 0.006, 0.5)))
    pops_hz = performance.per_second(34.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.26, 0.32))
        phase = clock_s(samples) * pops_hz * curve(samples, 0.9, 1.1)
        return pulses(phase, hollow) * curve(samples, 0.4, 1.0, 0.9, 0.1)

    return performance.repeat(one, 1.0 / performance.per_second(2.1))


@recipe("owl")
def hoot(performance: Performance) -> Wave:
    """Soft pure hoots: one long, two short."""
    pitch = performance.hz(360.0)

    def one(_: int) -> Wave:
        whole = np.zeros(sample_count(0.95))
        for start_s, length_s in ((0.0, 0.26), (0.36, 0.14), (0.56, 0.24)):
            samples = sample_count(length_s)
            note = tone(pitch * curve(samples, 0.94, 1.0, 0.95), np.array([1.0, 0.06]))
            note += 0.02 * noise(performance, samples, (300.0, 1200.0))
            add_at(whole, note * swell(samples, 0.05, 0.07), start_s / performance.take.tempo)
        return whole

    return performance.repeat(one, 1.05 / performance.take.tempo)


@recipe("bee")
def buzz(performance: Performance) -> Wave:
    """Wings near 200 Hz, wandering, coming and going."""
    samples = performance.samples
    pitch_hz = performance.hz(205.0) * wander(performance, samples, 6, 0.06)
    wings = tone(pitch_hz, rolloff(0.8, 24)) + 0.05 * noise(performance, samples, (800.0, 4000.0))
    return wings * wander(performance, samples, 4, 0.45)


@recipe("mosquito")
def whine(performance: Performance) -> Wave:
    """A thin whine near 750 Hz that drifts past the ear."""
    samples = performance.samples
    pitch_hz = performance.hz(760.0) * wander(performance, samples, 4, 0.05)
    wings = tone(pitch_hz, odd_only(rolloff(0.35, 9)) + 0.3 * rolloff(0.6, 9))
    return formants(wings, ((2600.0, 2600.0, 1.0),), 0.15) * wander(performance, samples, 3, 0.6)


@recipe("cricket")
def chirp(performance: Performance) -> Wave:
    """Chirps of four strokes of the wing at 4.4 kHz, on and on."""
    pitch = performance.hz(4300.0)

    def one(_: int) -> Wave:
        samples = sample_count(0.13)
        strokes = np.maximum(0.0, np.sin(2.0 * np.pi * 32.0 * clock_s(samples))) ** 0.7
        return tone(np.full(samples, pitch), np.array([1.0])) * strokes

    return performance.repeat(one, 1.0 / performance.per_second(4.6), jitter=0.01)


@recipe("snake")
def hiss(performance: Performance) -> Wave:
    """A long hiss above 4 kHz that swells and stops."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.7, 0.85) / performance.take.tempo)
        breath = noise(performance, samples, (performance.hz(4600.0), 8000.0))
        return breath * curve(samples, 0.15, 0.5, 1.0, 0.9, 0.0)

    return performance.repeat(one, 0.95 / performance.take.tempo)


@recipe("parrot")
def squawk(performance: Performance) -> Wave:
    """Harsh squawks: a high voice torn by a rough beat of 90 Hz."""
    pitch = performance.hz(1250.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.22, 0.28))
        rough = 0.5 + 0.5 * np.sign(sine(samples, performance.hz(90.0)))
        voice = tone(pitch * curve(samples, 0.8, 1.2, 1.0, 0.7), rolloff(0.3))
        voice = voice * rough + 0.5 * noise(performance, samples, (1500.0, 6000.0))
        return formants(voice, ((2200.0, 900.0, 1.0), (3900.0, 1200.0, 0.7))) * swell(samples, 0.02, 0.08)

    return performance.repeat(one, 1.0 / performance.per_second(2.6), jitter=0.08)


@recipe("mouse")
def squeak(performance: Performance) -> Wave:
    """Tiny squeaks near 5.5 kHz, quick and in no order."""
    pitch = performance.hz(5400.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.035, 0.055))
        return tone(pitch * curve(samples, 0.88, 1.1, 1.02), np.array([1.0])) * swell(samples, 0.008, 0.015)

    return performance.repeat(one, 1.0 / performance.per_second(9.0), jitter=0.25)


@recipe("chick")
def peep(performance: Performance) -> Wave:
    """Clear peeps that fall from 4 to 2.7 kHz, four a second."""
    pitch = performance.hz(3400.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.1, 0.13))
        return tone(pitch * curve(samples, 1.0, 1.17, 1.0, 0.78), np.array([1.0, 0.1])) * swell(samples, 0.015, 0.05)

    return performance.repeat(one, 1.0 / performance.per_second(4.2))
