from __future__ import annotations

import shutil

import numpy as np
import pytest

from training.data.concepts import concept_table
from training.data.sounds import SAMPLE_RATE_HZ, SpeakerMissingError, make_speech, speech
from training.data.sounds.speech import LANGUAGES, SPEAKERS, Voice, speak
from training.data.splits import SPLITS, share

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng isn't installed (Debian package espeak-ng)"
)


def pitch_hz(wave: np.ndarray) -> float:
    """The median over the louder frames of the lag of the greatest autocorrelation, each lag's share made good."""
    pieces = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::256]
    loudness = (pieces**2).mean(1)
    window = np.hanning(1024)
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, 2048)) ** 2)
    spectrum = np.fft.rfft(pieces[loudness > 0.3 * loudness.max()] * window, 2048)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2) / (of_window + 1.0)
    return float(np.median(SAMPLE_RATE_HZ / (40 + correlation[:, 40:230].argmax(1))))


def test_splits_share_no_speaker():
    parts = [set(share(SPEAKERS, split)) for split in SPLITS]
    assert len(set(SPEAKERS)) == len(SPEAKERS) == sum(map(len, parts))
    assert set().union(*parts) == set(SPEAKERS)


def test_missing_espeak_is_said_with_the_name_of_its_package(monkeypatch):
    monkeypatch.setattr(speech.shutil, "which", lambda _: None)
    speech.espeak_program.cache_clear()
    with pytest.raises(SpeakerMissingError, match="Debian package espeak-ng"):
        make_speech(0, "train", 0)


@needs_espeak
def test_the_same_arguments_make_the_same_speech():
    first, again = make_speech(3, "test", 12), make_speech(3, "test", 12)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert (first.text, first.label) == (again.text, again.label)


@needs_espeak
@pytest.mark.parametrize("split", SPLITS)
def test_speech_is_finite_audible_and_of_the_right_length(split):
    things = concept_table().things
    for number in range(0, len(things), 4):
        made = make_speech(1, split, number)
        assert made.label == things[number].name
        assert any(name in made.text for name in things[number].names)
        assert made.waveform.dtype == np.float32
        assert SAMPLE_RATE_HZ <= len(made.waveform) <= 3 * SAMPLE_RATE_HZ
        assert np.isfinite(made.waveform).all()
        assert 0.03 <= np.abs(made.waveform).max() <= 0.71


@needs_espeak
def test_the_caption_holds_the_name_that_is_spoken(monkeypatch):
    spoken = []

    def listen(words, voice):
        spoken.append(words)
        return speak(words, voice)

    monkeypatch.setattr(speech, "speak", listen)
    made = [make_speech(5, "train", number) for number in range(24)]
    for words, sound in zip(spoken, made, strict=True):
        assert words.removeprefix("a ").removeprefix("an ") in sound.text


@needs_espeak
def test_every_speaker_speaks_and_none_like_another():
    waves = [speak("alarm clock", Voice("en", speaker)) for speaker in SPEAKERS]
    assert len({wave.tobytes() for wave in waves}) == len(SPEAKERS)


@needs_espeak
def test_every_accent_takes_its_speaker():
    for language in LANGUAGES:
        assert pitch_hz(speak("water drop", Voice(language, "f4"))) > 1.3 * pitch_hz(
            speak("water drop", Voice(language, "m1"))
        )


@needs_espeak
def test_speed_and_pitch_are_heard():
    slow, fast = (speak("motorcycle", Voice("en", "m3", words_per_minute=rate)) for rate in (130, 210))
    assert len(slow) > 1.2 * len(fast)
    low, high = (speak("motorcycle", Voice("en", "f2", pitch=pitch)) for pitch in (20, 80))
    assert pitch_hz(high) > 1.2 * pitch_hz(low)


@needs_espeak
def test_silence_around_the_words_is_cut_off():
    wave = speak("cow", Voice("en", "m1"))
    assert np.abs(wave[:1600]).max() > 0.05
    assert np.abs(wave[-1600:]).max() > 0.01
    assert np.abs(wave).max() == pytest.approx(1.0)


@needs_espeak
def test_what_espeak_refuses_is_an_error():
    with pytest.raises(SpeakerMissingError, match="nowhere"):
        speak("cow", Voice("nowhere", "f1"))
