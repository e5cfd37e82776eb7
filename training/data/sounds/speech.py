"""The names of things, spoken by espeak-ng."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

import numpy as np
import soxr
from numpy.typing import NDArray

from training.data.concepts import concept_table
from training.data.sounds.performance import SAMPLE_RATE_HZ, TAKES, Performance, Wave, add_at
from training.data.sounds.room import NOISES, ROOMS, place
from training.data.sounds.sound import MadeSound, caption, choose
from training.data.splits import Split, example_generator, share

# Accents; plain British English is "en", since "en-gb" is one whose variants espeak-ng 1.51 takes no notice of.
LANGUAGES = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-gb-x-gbclan", "en-029")

# Speakers who can be understood, in rows of six, so that each split has women and men; near relatives (all "klatt",
# all "steph") stay in training.
SPEAKERS = (
    *("f1", "m1", "Alicia", "klatt", "f2", "m2"),
    *("linda", "m3", "adam", "f3", "Annie", "f5"),
    *("m4", "f4", "steph", "m5", "Andy", "Andrea"),
    *("klatt3", "Michael", "boris", "steph2", "belinda", "Mike"),
    *("klatt2", "benjamin", "m6", "david", "m7", "aunty"),
    *("steph3", "ed", "klatt4", "m8", "grandma", "Alex"),
)

_ESPEAK_RATE_HZ = 22_050
_AUDIBLE = 0.01  # of the peak
_MARGIN_SAMPLES = 320
_LEAST_SAMPLES = SAMPLE_RATE_HZ


class SpeakerMissingError(RuntimeError):
    """The program that speaks isn't installed, or it failed."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks, and how."""

    language: str
    speaker: str
    words_per_minute: int = 165  # 130 to 210
    pitch: int = 50  # 20 to 80, of espeak-ng's 0 to 99


def make_speech(seed: int, split: Split, number: int) -> MadeSound:
    """The `number`-th spoken name of a split, a pure function of its arguments; the things come in turn.

    Args:
        seed: the run's.
        split: which speakers, rooms and noises may come.
        number: from 0.

    Raises:
        SpeakerMissingError: espeak-ng isn't there.
    """
    table = concept_table()
    thing = table.things[number % len(table.things)]
    generator = example_generator(seed, split, "speech", number)
    usual = not thing.other_names or generator.random() < 0.75
    name = thing.name if usual else choose(generator, thing.other_names)
    words = table.with_article(name) if generator.random() < 0.3 else name
    spoken = _with_silence(generator, speak(words, _choose_voice(generator, split)))
    performance = Performance(generator, len(spoken), choose(generator, share(TAKES, split)))
    room, kind = choose(generator, share(ROOMS, split)), choose(generator, share(NOISES, split))
    in_a_room = generator.random() < 0.3
    heard = place(performance, spoken, room if in_a_room else None, kind, (15.0, 35.0) if in_a_room else (35.0, 60.0))
    return MadeSound(heard.astype(np.float32), caption(generator, "speech", thing, name), thing.name)


def speak(words: str, voice: Voice) -> Wave:
    """The words as this voice says them, the silence around them cut off: [n], 16 kHz, peak 1.

    Raises:
        SpeakerMissingError: espeak-ng isn't there, failed, or said nothing.
    """
    settings = ["-v", f"{voice.language}+{voice.speaker}", "-s", str(voice.words_per_minute), "-p", str(voice.pitch)]
    command = [espeak_program(), "--stdout", *settings, "--", words]
    finished = subprocess.run(command, capture_output=True, check=False, timeout=30)  # noqa: S603 - no shell
    header_end = finished.stdout.find(b"data") + 8
    pcm = np.frombuffer(finished.stdout[header_end : len(finished.stdout) & ~1], dtype="<i2")
    if finished.returncode or header_end < 8 or not pcm.any():
        raise SpeakerMissingError(f"espeak-ng didn't say {words!r} as {voice}: {finished.stderr!r}")
    wave: NDArray[np.float64] = soxr.resample(pcm.astype(np.float64), _ESPEAK_RATE_HZ, SAMPLE_RATE_HZ)
    wave = wave / float(np.abs(wave).max())
    audible = np.flatnonzero(np.abs(wave) > _AUDIBLE)
    return wave[max(0, audible[0] - _MARGIN_SAMPLES) : audible[-1] + _MARGIN_SAMPLES]


@cache
def espeak_program() -> str:
    """Where espeak-ng is.

    Raises:
        SpeakerMissingError: it isn't there.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise SpeakerMissingError("espeak-ng isn't installed; it is the Debian package espeak-ng")
    return program


def _choose_voice(generator: np.random.Generator, split: Split) -> Voice:
    return Voice(
        language=choose(generator, LANGUAGES),
        speaker=choose(generator, share(SPEAKERS, split)),
        words_per_minute=int(generator.integers(130, 211)),
        pitch=int(generator.integers(20, 81)),
    )


def _with_silence(generator: np.random.Generator, spoken: Wave) -> Wave:
    """The words somewhere in a clip that is 1 s long at least."""
    before, after = generator.uniform(0.0, 0.25, 2) * SAMPLE_RATE_HZ
    samples = max(_LEAST_SAMPLES, int(len(spoken) + before + after))
    clip = np.zeros(samples)
    add_at(clip, spoken, float(generator.uniform(0.0, samples - len(spoken))) / SAMPLE_RATE_HZ)
    return clip
