from __future__ import annotations

import numpy as np
import pytest

from training.data.concepts import concept_table
from training.data.sounds import RECIPES, SAMPLE_RATE_HZ, make_sound, synthesise
from training.data.sounds.performance import TAKES, Performance
from training.data.sounds.room import NOISES, ROOMS, echo
from training.data.splits import SPLITS, share

THINGS = concept_table().things


def heard(thing: str, seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    return synthesise(thing, np.random.default_rng(seed), seconds)


def frames(wave: np.ndarray, length: int = 1024, hop: int = 256) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(wave, length)[::hop]


def pitch_hz(frame: np.ndarray, low_hz: float, high_hz: float) -> float:
    """The lag of the greatest autocorrelation."""
    spectrum = np.fft.rfft(frame * np.hanning(len(frame)), 2 * len(frame))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    least, most = int(SAMPLE_RATE_HZ / high_hz), int(SAMPLE_RATE_HZ / low_hz)
    return SAMPLE_RATE_HZ / (least + int(correlation[least:most].argmax()))


def loud_pitches_hz(wave: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """Pitches of the frames that are at least half as loud as the loudest."""
    loudness = np.sqrt((frames(wave) ** 2).mean(1))
    return np.array([pitch_hz(frame, low_hz, high_hz) for frame in frames(wave)[loudness > 0.5 * loudness.max()]])


def centroid_hz(wave: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float((power * np.fft.rfftfreq(len(wave), 1.0 / SAMPLE_RATE_HZ)).sum() / power.sum())


def event_rate_hz(wave: np.ndarray, low_hz: float, high_hz: float) -> float:
    """The rate at which the envelope, of 5 ms steps, resembles itself most."""
    envelope = np.sqrt((wave[: len(wave) // 80 * 80].reshape(-1, 80) ** 2).mean(1))
    envelope -= envelope.mean()
    correlation = np.correlate(envelope, envelope, "full")[len(envelope) - 1 :]
    least, most = int(200 / high_hz), int(200 / low_hz)
    return 200.0 / (least + int(correlation[least:most].argmax()))


def test_every_thing_has_a_recipe_and_nothing_else_has():
    assert set(RECIPES) == {thing.name for thing in THINGS}


def test_the_same_arguments_make_the_same_sound():
    first, again = make_sound(3, "validation", 41), make_sound(3, "validation", 41)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert (first.text, first.label) == (again.text, again.label)


@pytest.mark.parametrize("other", [(4, "train", 7), (3, "test", 7), (3, "train", 7 + len(THINGS))])
def test_another_seed_split_or_number_makes_another_sound(other):
    first, second = make_sound(3, "train", 7), make_sound(*other)
    assert first.label == second.label
    shortest = min(len(first.waveform), len(second.waveform))
    assert not np.allclose(first.waveform[:shortest], second.waveform[:shortest])


@pytest.mark.parametrize("split", SPLITS)
def test_sounds_are_finite_audible_and_of_the_right_length(split):
    for number, thing in enumerate(THINGS):
        made = make_sound(1, split, number)
        assert made.label == thing.name
        assert made.waveform.dtype == np.float32
        assert made.waveform.ndim == 1
        assert SAMPLE_RATE_HZ <= len(made.waveform) <= 5 * SAMPLE_RATE_HZ
        assert np.isfinite(made.waveform).all()
        assert 0.03 <= np.abs(made.waveform).max() <= 0.71


def test_every_sound_has_begun_within_a_second_of_its_start():
    for thing in THINGS:
        wave = heard(thing.name, 1.0)
        assert len(wave) == SAMPLE_RATE_HZ
        assert np.abs(wave[: SAMPLE_RATE_HZ // 2]).max() > 0.05, thing.name


def test_captions_call_the_thing_by_one_of_its_names_or_say_what_is_heard():
    for number in range(3 * len(THINGS)):
        made = make_sound(2, "train", number)
        thing = THINGS[number % len(THINGS)]
        assert any(known in made.text for known in (*thing.names, thing.heard))
        assert "{" not in made.text


def test_unknown_thing_has_no_sound():
    with pytest.raises(KeyError):
        heard("unicorn")


@pytest.mark.parametrize("choices", [TAKES, ROOMS, NOISES])
def test_splits_share_no_take_room_or_noise(choices):
    assert len(set(choices)) >= 18
    parts = [set(share(choices, split)) for split in SPLITS]
    assert sum(map(len, parts)) == len(set(choices))
    assert set().union(*parts) == set(choices)


def test_each_split_has_high_and_low_fast_and_slow_takes():
    for split in SPLITS:
        takes = share(TAKES, split)
        assert min(take.pitch for take in takes) < 0.95 < 1.07 < max(take.pitch for take in takes)
        assert min(take.tempo for take in takes) < 0.95 < 1.07 < max(take.tempo for take in takes)


def test_moo_is_low_and_falls_and_meow_is_much_higher():
    moo = loud_pitches_hz(heard("cow", 1.0), 80.0, 1000.0)
    assert 115.0 < np.median(moo) < 185.0
    assert moo[-1] < 0.95 * moo.max()
    assert np.median(loud_pitches_hz(heard("cat", 1.0), 80.0, 1000.0)) > 3.0 * np.median(moo)


def test_bell_dies_away_exponentially():
    wave = heard("bell", 1.0)
    start = int(np.abs(wave).argmax())
    levels = np.log(np.sqrt((wave[start : start + 10_400].reshape(-1, 800) ** 2).mean(1)))
    times = np.arange(len(levels))
    slope, intercept = np.polyfit(times, levels, 1)
    assert slope < -0.05
    assert np.abs(levels - (slope * times + intercept)).max() < 0.4


def test_bell_is_not_harmonic_but_trumpet_is():
    def share_on_harmonics(wave: np.ndarray, low_hz: float, high_hz: float) -> float:
        frame = wave[2000:3600]
        base = pitch_hz(frame, low_hz, high_hz)
        spectrum = np.abs(np.fft.rfft(frame * np.hanning(len(frame)), 16_000)) ** 2
        near = np.abs((np.arange(len(spectrum)) / base + 0.5) % 1.0 - 0.5) * base < 25.0
        return float(spectrum[near].sum() / spectrum.sum())

    assert share_on_harmonics(heard("trumpet"), 250.0, 1000.0) > 0.8
    assert share_on_harmonics(heard("bell"), 500.0, 1000.0) < 0.8


def test_clock_ticks_four_times_a_second():
    assert 3.3 < event_rate_hz(heard("clock", 3.0), 3.0, 7.0) < 4.8


def test_heart_beats_slower_than_clock_and_lower_than_anything():
    assert 1.4 < event_rate_hz(heard("heart", 4.0), 1.2, 2.6) < 2.1
    assert centroid_hz(heard("heart")) < 150.0


def test_siren_climbs_and_sinks():
    pitches = loud_pitches_hz(heard("ambulance", 2.0), 300.0, 2000.0)
    assert pitches.max() > 1.8 * pitches.min()
    turns = np.flatnonzero(np.diff(np.sign(np.diff(np.convolve(pitches, np.ones(5) / 5, "valid"))))).size
    assert turns >= 2


def test_plucked_and_struck_strings_die_while_bowed_ones_last():
    def spread_db(thing: str) -> float:
        levels = np.sqrt((frames(heard(thing)) ** 2).mean(1)) + 1e-6
        return float(20.0 * np.log10(np.percentile(levels, 90) / np.percentile(levels, 25)))

    assert spread_db("water drop") > spread_db("guitar") > spread_db("ambulance")
    assert spread_db("violin") < 9.0


def test_hiss_is_high_and_thunder_low():
    assert centroid_hz(heard("snake")) > 4000.0
    assert centroid_hz(heard("rocket")) < 1000.0
    assert 2300.0 < centroid_hz(heard("teapot")) < 4200.0


def test_a_room_prolongs_a_click():
    click = np.zeros(8000)
    click[100] = 1.0
    short, long = (echo(Performance(np.random.default_rng(0), 8000), click, room) for room in (ROOMS[0], ROOMS[-1]))
    assert (short[2500:] ** 2).sum() < 1e-3 * (long[2500:] ** 2).sum()
