"""Sounds synthesised from simple models of what makes them, and names spoken by espeak-ng."""

from training.data.sounds import household, instruments, large_animals, nature, people, small_animals, tools, vehicles
from training.data.sounds.performance import RECIPES, SAMPLE_RATE_HZ
from training.data.sounds.sound import MadeSound, make_sound, synthesise
from training.data.sounds.speech import SpeakerMissingError, make_speech

__all__ = [
    "RECIPES",
    "SAMPLE_RATE_HZ",
    "MadeSound",
    "SpeakerMissingError",
    "household",
    "instruments",
    "large_animals",
    "make_sound",
    "make_speech",
    "nature",
    "people",
    "small_animals",
    "synthesise",
    "tools",
    "vehicles",
]
