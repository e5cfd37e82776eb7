"""From items to the rows that a model takes, as its card says. The pipeline decides where files are decoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.decoding.orders import AudioOrder, ClipOrder, ImageOrder, LengthOrder, RegionsOrder
from service.engine.protocol import RowInputs
from service.errors import ModelNotServed
from service.media.audio import AudioSpec, DecodedAudio, Samples
from service.media.audio_windows import Clip, Windows
from service.media.image import DecodedImage, Region
from service.media.payload import Payload
from service.media.text import EncodedText, TextSource, TextTokenizer
from service.repository import CONTRACTS, TOKENS, ModelFolder
from service.settings import Settings

Note = dict[str, int | float | bool]
"""What was done to an input: token ids used, pixels, seconds, and what was cut."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One row, ready for the batcher. `length`: its dynamic length in token ids or samples."""

    model: str
    inputs: RowInputs
    length: int
    note: Note


class Preprocessor:
    """Turns texts into tokens, and files into orders for the decoders, as the models that are served take them."""

    def __init__(self, models: dict[str, ModelFolder], settings: Settings) -> None:
        self._models = models
        self._settings = settings
        self._tokenizers = {
            name: TextTokenizer(model.tokenizer_path, max_bytes=settings.max_text_bytes)
            for name, model in models.items()
            if TOKENS in CONTRACTS[name].inputs
        }

    def model(self, name: str) -> ModelFolder:
        """The served model of that name.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        if name not in self._models:
            raise ModelNotServed(f"the model repository has no '{name}' model")
        return self._models[name]

    def row_bytes(self, model: str) -> int:
        """Memory of one prepared row at most; 0 for a model that is not served."""
        if model not in self._models:
            return 0
        card = self._models[model].card
        samples = int((card.max_audio_s or 0) * (card.sample_rate_hz or 0))
        return 3 * (card.image_size or 0) ** 2 + 4 * samples

    def text(self, model: str, text: TextSource) -> EncodedText:
        """Token ids for `model`.

        Raises:
            InvalidText, InvalidField: see `TextTokenizer.encode` and `TextTokenizer.take`.
        """
        tokenizer = self._tokenizers[model]
        return tokenizer.encode(text) if isinstance(text, str) else tokenizer.take(text)

    def image(self, model: str, payload: Payload) -> ImageOrder:
        """To decode a picture at the size that `model` takes.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        return ImageOrder(payload, self.model(model).card.image_size or 0, self._settings.max_pixels)

    def regions(self, model: str, payload: Payload, regions: Sequence[Region]) -> RegionsOrder:
        """To decode regions of one picture, each at the size that `model` takes.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        size = self.model(model).card.image_size or 0
        return RegionsOrder(payload, tuple(regions), size, self._settings.max_pixels)

    def audio(self, model: str, payload: Payload) -> AudioOrder:
        """To decode samples at the rate that `model` takes.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        return AudioOrder(payload, self.audio_spec(model), self._settings.max_audio_seconds)

    def clip_seconds(self, payload: Payload, windows: Windows) -> LengthOrder:
        """To tell a sound's length by its header."""
        return LengthOrder(payload, windows, self._settings.max_audio_seconds, max_windows=self._settings.max_items)

    def clip(self, model: str, payload: Payload, windows: Windows) -> ClipOrder:
        """To decode a whole sound at the rate that `model` takes, which is cut into windows afterwards.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        settings = self._settings
        return ClipOrder(
            payload, self.audio_spec(model), windows, settings.max_audio_seconds, max_windows=settings.max_items
        )

    def audio_spec(self, model: str) -> AudioSpec:
        """What clips `model` takes.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        card = self.model(model).card
        return AudioSpec(card.sample_rate_hz or 16_000, card.min_audio_s or 1.0, card.max_audio_s or 15.0)

    def sound_bytes(self, model: str, seconds: float) -> int:
        """Memory of so many seconds of sound at the rate that `model` takes."""
        return math.ceil(4 * seconds * self.audio_spec(model).sample_rate_hz)


def text_row(model: str, text: EncodedText) -> Prepared:
    """A row of `tokens`."""
    return Prepared(model, {"tokens": text.tokens}, len(text.tokens), text_note(text))


def image_row(model: str, image: DecodedImage) -> Prepared:
    """A row of `pixels`."""
    return Prepared(model, {"pixels": image.pixels}, 0, image_note(image))


def audio_row(model: str, audio: DecodedAudio) -> Prepared:
    """A row of `waveform` and `num_samples`."""
    return waveform_row(model, audio.waveform, audio_note(audio))


def waveform_row(model: str, waveform: Samples, note: Note) -> Prepared:
    """A row of a normalised waveform, float32 [T]."""
    samples = len(waveform)
    inputs: RowInputs = {"waveform": waveform, "num_samples": np.array([samples], dtype=np.int64)}
    return Prepared(model, inputs, samples, note)


def text_note(text: EncodedText) -> Note:
    """How many ids are used, the end token left out, and whether the text was cut."""
    return {"tokens": len(text.tokens) - 1, "truncated": text.truncated}


def image_note(image: DecodedImage) -> Note:
    """Size of the upright image in pixels."""
    return {"width": image.width, "height": image.height}


def audio_note(audio: DecodedAudio | Clip) -> Note:
    """Seconds of the clip, seconds that the model heard, and the file's rate."""
    return {
        "seconds": round(audio.seconds, 3),
        "used_seconds": round(audio.used_seconds, 3),
        "sample_rate_hz": audio.sample_rate_hz,
    }
