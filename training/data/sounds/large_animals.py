"""Beasts with a voice: a glottal source through a vocal tract."""

from __future__ import annotations

import numpy as np

from training.data.sounds.oscillators import curve, noise, rolloff, sine, swell, tone, wander
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import formants, glide


@recipe("cow")
def moo(performance: Performance) -> Wave:
    """A long low vowel that opens from "m" to "oo" while its pitch falls."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.8, 1.0) / performance.take.tempo)
        pitch_hz = performance.hz(150.0) * curve(samples, 0.97, 1.06, 1.0, 0.82) * wander(performance, samples, 9, 0.01)
        voice = tone(pitch_hz, rolloff(1.1))
        closed, opened = ((260.0, 120.0, 1.0), (1000.0, 200.0, 0.03)), ((370.0, 160.0, 1.0), (820.0, 180.0, 0.5))
        vowel = glide(voice, closed, opened, curve(samples, 0.0, 1.0, 1.0, 0.6))
        return vowel * swell(samples, 0.16, 0.2)

    return performance.repeat(one, 1.15 / performance.take.tempo)


@recipe("dog")
def bark(performance: Performance) -> Wave:
    """Short rough bursts whose pitch jumps up and falls."""
    pitch, tract = performance.hz(380.0), performance.between(0.92, 1.08)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.13, 0.17))
        voice = tone(pitch * curve(samples, 0.8, 1.35, 1.1, 0.65), rolloff(0.6))
        rough = voice + 0.25 * noise(performance, samples, (500.0, 5000.0))
        mouth = ((700 * tract, 300.0, 1.0), (1300 * tract, 350.0, 0.8), (2700 * tract, 600.0, 0.35))
        return formants(rough, mouth) * swell(samples, 0.012, 0.08)

    return performance.repeat(one, 1.0 / performance.per_second(3.0), jitter=0.1)


@recipe("cat")
def meow(performance: Performance) -> Wave:
    """One long cry through "ee", "ah" and "oo", its pitch in an arch."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.62, 0.8) / performance.take.tempo)
        voice = tone(performance.hz(620.0) * curve(samples, 0.8, 1.15, 1.1, 0.75), rolloff(1.0))
        bright, wide, dark = ((2500.0, 500.0, 1.0),), ((1400.0, 600.0, 1.0), (3200.0, 600.0, 0.5)), ((800.0, 400.0, 1),)
        weight = curve(samples, 0.0, 0.9, 1.0, 1.0)
        vowel = glide(voice, bright, wide, weight) * curve(samples, 1.0, 1.0, 0.5, 0.0)
        vowel += formants(voice, dark) * curve(samples, 0.0, 0.0, 0.4, 0.9)
        return vowel * swell(samples, 0.08, 0.2)

    return performance.repeat(one, 0.98 / performance.take.tempo)


@recipe("pig")
def oink(performance: Performance) -> Wave:
    """Snorts: a rattle of 35 Hz through a nose that opens at once."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.2, 0.26))
        rattle = 0.5 + 0.5 * np.sign(sine(samples, performance.hz(36.0)))
        source = noise(performance, samples, (200.0, 4000.0)) * rattle + 0.8 * tone(
            np.full(samples, performance.hz(105.0)), rolloff(0.3)
        )
        low, high = ((450.0, 150.0, 1.0), (1000.0, 200.0, 0.4)), ((600.0, 200.0, 0.6), (1900.0, 300.0, 1.0))
        return glide(source, low, high, curve(samples, 0.0, 0.4, 1.0)) * swell(samples, 0.03, 0.05)

    return performance.repeat(one, 1.0 / performance.per_second(2.8), jitter=0.08)


@recipe("sheep")
def bleat(performance: Performance) -> Wave:
    """A nasal "baa" that trembles eight times a second."""
    pitch, tremble_hz = performance.hz(290.0), performance.per_second(8.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.68, 0.8))
        tremble = sine(samples, tremble_hz, performance.between(0, 1))
        voice = tone(pitch * (1.0 + 0.07 * tremble) * curve(samples, 1.0, 1.04, 0.9), rolloff(0.5))
        vowel = formants(voice, ((760.0, 200.0, 0.9), (1750.0, 300.0, 1.0), (2900.0, 400.0, 0.5)))
        return vowel * (0.55 + 0.45 * tremble) * swell(samples, 0.05, 0.15)

    return performance.repeat(one, 0.95)


@recipe("horse")
def neigh(performance: Performance) -> Wave:
    """A high shaking cry that comes down, then a snort through loose lips."""
    shake_hz = performance.per_second(13.0)

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.62, 0.72))
        shake = sine(samples, shake_hz)
        pitch_hz = performance.hz(1150.0) * curve(samples, 0.75, 1.1, 1.0, 0.7, 0.45) * (1.0 + 0.08 * shake)
        cry = tone(pitch_hz, rolloff(0.9)) + 0.12 * noise(performance, samples, (1000.0, 6000.0))
        cry = formants(cry, ((1200.0, 700.0, 1.0), (2800.0, 900.0, 0.6))) * (0.7 + 0.3 * shake)
        lips = sample_count(0.25)
        flutter = np.maximum(0.0, sine(lips, performance.per_second(24.0)))
        snort = noise(performance, lips, (150.0, 1800.0), -3.0) * flutter * swell(lips, 0.02, 0.1)
        whole = np.zeros(samples + lips)
        add_at(whole, cry * swell(samples, 0.05, 0.12), 0.0)
        add_at(whole, snort, samples / SAMPLE_RATE_HZ, 0.35)
        return whole

    return performance.repeat(one, 1.1)


@recipe("wolf")
def howl(performance: Performance) -> Wave:
    """A long almost pure cry that climbs, stays and sinks."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(1.0, 1.3) / performance.take.tempo)
        vibrato = 1.0 + 0.012 * sine(samples, 5.5)
        pitch_hz = performance.hz(510.0) * curve(samples, 0.62, 1.0, 1.05, 1.0, 0.7) * vibrato
        return tone(pitch_hz, np.array([1.0, 0.35, 0.12, 0.03])) * swell(samples, 0.12, 0.3)

    return performance.repeat(one, 1.4 / performance.take.tempo)


@recipe("lion")
def roar(performance: Performance) -> Wave:
    """A deep rough swell, its folds beating against each other."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.75, 0.9) / performance.take.tempo)
        pitch = performance.hz(80.0) * curve(samples, 0.8, 1.25, 1.0, 0.7) * wander(performance, samples, 60, 0.12)
        growl = tone(pitch, rolloff(0.6)) + tone(0.53 * pitch, rolloff(0.8))
        growl += noise(performance, samples, (100.0, 3000.0), -3.0) * (1.3 + sine(samples, performance.hz(30.0)))
        throat = formants(growl, ((480.0, 260.0, 1.0), (1050.0, 400.0, 0.6), (2300.0, 900.0, 0.15)))
        return throat * swell(samples, 0.2, 0.35)

    return performance.repeat(one, 1.05 / performance.take.tempo)


@recipe("elephant")
def trumpeting(performance: Performance) -> Wave:
    """A brassy blare that leaps up, and splits as it is overblown."""

    def one(_: int) -> Wave:
        samples = sample_count(performance.between(0.55, 0.7) / performance.take.tempo)
        pitch_hz = (
            performance.hz(430.0) * curve(samples, 0.6, 1.0, 1.12, 1.1, 0.75) * wander(performance, samples, 50, 0.03)
        )
        blare = tone(pitch_hz, rolloff(0.2)) + tone(0.5 * pitch_hz, rolloff(0.4))
        blare += 0.6 * noise(performance, samples, (800.0, 6000.0))
        return np.tanh(2.0 * formants(blare, ((1500.0, 1200.0, 1.0), (3300.0, 1500.0, 0.8)))) * swell(
            samples, 0.04, 0.2
        )

    return performance.repeat(one, 0.85 / performance.take.tempo)


@recipe("monkey")
def screech(performance: Performance) -> Wave:
    """Fast hoots that climb into a screech, over and over."""
    pitch = performance.hz(780.0)

    def one(number: int) -> Wave:
        height = 1.0 + 0.22 * (number % 5)
        samples = sample_count(performance.between(0.085, 0.105))
        voice = tone(pitch * height * curve(samples, 0.75, 1.3, 1.15), rolloff(0.7 if number % 5 > 2 else 1.6))
        voice += (0.1 + 0.1 * (number % 5)) * noise(performance, samples, (1200.0, 5000.0))
        return formants(voice, ((1100.0, 500.0, 1.0), (2100.0, 700.0, 0.8))) * swell(samples, 0.015, 0.04)

    return performance.repeat(one, 1.0 / performance.per_second(6.5))


@recipe("whale")
def song(performance: Performance) -> Wave:
    """A groan, then a slow climb, with the sea's long echo."""

    def one(number: int) -> Wave:
        samples = sample_count(performance.between(0.42, 0.5) / performance.take.tempo)
        if number % 2 == 0:
            groan = performance.hz(170.0) * curve(samples, 1.1, 0.85, 0.7)
            return tone(groan, rolloff(1.0, 6)) * swell(samples, 0.06, 0.1)
        climb = performance.hz(330.0) * curve(samples, 0.8, 1.3, 2.9)
        return tone(climb, np.array([1.0, 0.15, 0.05])) * swell(samples, 0.06, 0.08)

    sung = performance.repeat(one, 0.46 / performance.take.tempo)
    for delay_s, gain in ((0.11, 0.45), (0.19, 0.3), (0.31, 0.22)):
        add_at(sung, sung.copy(), delay_s, gain)
    return sung + 0.06 * float(np.abs(sung).max()) * noise(performance, performance.samples, (40.0, 300.0))
