"""Musical instruments: strings plucked, struck and bowed, reeds, brass, skins and bells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.data.sounds.oscillators import curve, noise, odd_only, rolloff, sine, swell, tone
from training.data.sounds.performance import SAMPLE_RATE_HZ, Performance, Wave, add_at, recipe, sample_count
from training.data.sounds.resonators import formants, plucked, struck


def melody(performance: Performance, steps: Sequence[float], note_s: float, play: Callable[[float, int], Wave]) -> Wave:
    """Notes one after the other; `play` takes the step (a factor of pitch) and the samples of a note."""
    samples = sample_count(note_s)
    first = int(performance.generator.integers(len(steps)))
    return performance.repeat(lambda number: play(steps[(first + number) % len(steps)], samples), note_s, jitter=0.0)


@recipe("piano")
def chords(performance: Performance) -> Wave:
    """Chords of three struck stiff strings, two a second."""
    root = performance.hz(262.0)
    stiffness = 0.0004

    def one(number: int) -> Wave:
        samples = sample_count(0.7)
        chord = ((1.0, 1.26, 1.5), (1.0, 1.335, 1.68), (0.944, 1.122, 1.5))[number % 3]
        modes = [
            (root * step * k * np.sqrt(1 + stiffness * k * k), 0.45 / k**0.8, 1.0 / k**1.1)
            for step in chord
            for k in range(1, 8)
        ]
        hammer = noise(performance, 400, (200.0, 1500.0)) * curve(400, 1.0, 0.0)
        notes = struck(samples, modes) * swell(samples, 0.003, 0.1)
        add_at(notes, hammer, 0.0, 0.15)
        return notes

    return performance.repeat(one, 1.0 / performance.per_second(2.2), jitter=0.01)


@recipe("guitar")
def strum(performance: Performance) -> Wave:
    """Six plucked strings raked down and up, three times a second."""
    root = performance.hz(110.0)
    steps = (1.0, 1.5, 2.0, 2.52, 3.0, 4.0)

    def one(number: int) -> Wave:
        samples = sample_count(0.5)
        whole = np.zeros(samples)
        for place, step in enumerate(steps if number % 2 == 0 else steps[::-1]):
            add_at(whole, plucked(performance, samples, root * step, 0.994), 0.016 * place)
        return formants(whole, ((110.0, 80.0, 0.6), (220.0, 120.0, 0.5), (2500.0, 3000.0, 0.6)), 0.4) * swell(
            samples, 0.001, 0.1
        )

    return performance.repeat(one, 1.0 / performance.per_second(2.9), jitter=0.02)


@recipe("violin")
def bow(performance: Performance) -> Wave:
    """Bowed long notes with vibrato, slurred."""
    pitch = performance.hz(560.0)

    def play(step: float, samples: int) -> Wave:
        vibrato = 1.0 + 0.014 * sine(samples, 6.2, performance.between(0.0, 1.0))
        string = tone(pitch * step * vibrato, rolloff(0.9)) + 0.03 * noise(performance, samples, (1500.0, 7000.0))
        body = ((480.0, 200.0, 0.7), (1150.0, 300.0, 0.6), (2900.0, 1200.0, 1.0))
        return formants(string, body, 0.15) * swell(samples, 0.06, 0.04)

    return melody(performance, (1.0, 1.122, 1.335, 1.26), 0.55 / performance.take.tempo, play)


@recipe("trumpet")
def fanfare(performance: Performance) -> Wave:
    """Tongued notes of a broken chord, six a second, brighter where louder."""
    pitch = performance.hz(390.0)

    def play(step: float, samples: int) -> Wave:
        loud = swell(samples, 0.025, 0.04)
        note_hz = np.full(samples, pitch * step)
        soft, brassy = tone(note_hz, rolloff(1.6)), tone(note_hz, rolloff(0.4))
        brassy = formants(brassy, ((1250.0, 900.0, 1.0), (2600.0, 1500.0, 0.5)), 0.1)
        return (soft * (1.0 - loud) + brassy * loud) * loud

    return melody(performance, (1.0, 1.0, 1.26, 1.5, 1.26, 2.0, 1.5), 1.0 / performance.per_second(6.0), play)


@recipe("drum")
def roll(performance: Performance) -> Wave:
    """Snare strokes eighteen times a second, swelling."""

    def one(number: int) -> Wave:
        samples = sample_count(0.09)
        wires = noise(performance, samples, (1500.0, 7000.0), -1.0) * np.exp(
            -np.arange(samples) / SAMPLE_RATE_HZ / 0.025
        )
        skin = struck(samples, ((performance.hz(185.0), 0.03, 1.6), (performance.hz(330.0), 0.02, 1.0)))
        return (0.5 * wires + skin) * (1.0 if number % 2 else 0.75)

    strokes = performance.repeat(one, 1.0 / performance.per_second(17.0), jitter=0.03)
    return strokes * curve(performance.samples, 0.5, 1.0)


@recipe("saxophone")
def low_notes(performance: Performance) -> Wave:
    """Slow reedy notes near 130 Hz that scoop up to their pitch."""
    pitch = performance.hz(132.0)

    def play(step: float, samples: int) -> Wave:
        vibrato = 1.0 + 0.012 * sine(samples, 5.0)
        scoop = curve(samples, 0.9, 1.0, 1.0, 1.0, 1.0)
        reed = tone(pitch * step * scoop * vibrato, rolloff(0.35)) + 0.08 * noise(performance, samples, (800.0, 4000.0))
        bore = ((320.0, 250.0, 0.8), (900.0, 500.0, 1.0), (1900.0, 600.0, 0.45))
        return formants(reed, bore, 0.03) * swell(samples, 0.035, 0.06)

    return melody(performance, (1.0, 1.19, 1.335, 1.5, 1.335), 0.36 / performance.take.tempo, play)


@recipe("flute")
def softly(performance: Performance) -> Wave:
    """Airy notes near 900 Hz with hardly an overtone, three a second."""
    pitch = performance.hz(880.0)

    def play(step: float, samples: int) -> Wave:
        vibrato = sine(samples, 5.2, performance.between(0.0, 1.0))
        note = tone(pitch * step * (1.0 + 0.004 * vibrato), np.array([1.0, 0.25, 0.06]))
        breath = noise(performance, samples, (700.0, 5000.0), -2.0)
        return (note * (1.0 + 0.12 * vibrato) + 0.09 * breath) * swell(samples, 0.05, 0.05)

    return melody(performance, (1.0, 1.122, 1.26, 1.5, 1.335, 1.26), 0.33 / performance.take.tempo, play)


@recipe("accordion")
def wheeze(performance: Performance) -> Wave:
    """Chords of paired reeds that beat against each other, pushed and pulled."""
    root = performance.hz(290.0)

    def play(step: float, samples: int) -> Wave:
        chord = np.zeros(samples)
        for interval in (1.0, 1.26, 1.5):
            reed_hz = np.full(samples, root * step * interval)
            chord += tone(reed_hz, odd_only(rolloff(0.5)) + 0.4 * rolloff(0.6))
            chord += tone(reed_hz + 7.5, odd_only(rolloff(0.5)) + 0.4 * rolloff(0.6))
        air = noise(performance, samples, (1500.0, 5000.0))
        bellows = formants(chord, ((900.0, 900.0, 0.8), (2600.0, 1500.0, 0.6)), 0.2) + 0.05 * air
        return bellows * curve(samples, 0.15, 0.8, 1.0, 0.8, 0.15)

    return melody(performance, (1.0, 0.749, 1.122), 0.6 / performance.take.tempo, play)


@recipe("maracas")
def shake(performance: Performance) -> Wave:
    """Seeds thrown to and fro, eight times a second, every other one stronger."""

    def one(number: int) -> Wave:
        samples = sample_count(0.075 if number % 2 else 0.055)
        seeds = noise(performance, samples, (performance.hz(4200.0), 7500.0))
        return seeds * curve(samples, 0.0, 1.0, 0.25, 0.0) * (0.5 if number % 2 else 1.0)

    return performance.repeat(one, 1.0 / performance.per_second(8.0), jitter=0.03)


@recipe("bell")
def ring(performance: Performance) -> Wave:
    """A bell struck slowly: hum, strike, minor third, fifth and octave, each dying away."""
    strike = performance.hz(620.0)
    partials = (
        (0.5, 0.9, 0.5),
        (1.0, 0.7, 1.0),
        (1.19, 0.55, 0.7),
        (1.5, 0.4, 0.4),
        (2.0, 0.35, 0.6),
        (2.66, 0.2, 0.5),
    )
    modes = [(strike * ratio, time_s, gain) for ratio, time_s, gain in (*partials, (4.1, 0.1, 0.4), (5.4, 0.06, 0.3))]
    return performance.repeat(lambda _: struck(sample_count(1.8), modes), 0.9 / performance.take.tempo)
