"""Examples as the model takes them, decoded by the server's own preprocessing: training sees what serving sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import Dataset

from export.one_peace.config import ModelConfig
from service.errors import InputError
from service.media.audio import AudioSpec, decode_audio
from service.media.image import DecodedImage, decode_image
from training.data.table import Row, TableError, read_table, rows_of_folders

Media = Literal["image", "audio"]
MAX_PIXELS, MAX_SECONDS = 200_000_000, 3600.0


@dataclass(frozen=True, slots=True)
class Example:
    """One text with one picture or one sound, never with both; `target` is a box or a class.

    `tokens` int64 [n]. `pixels` uint8 [3, S, S]. `waveform` float32 [T], 16 kHz, normalised.
    `target`: float32 [4] fractions of width and height, or int64 [] of a class.
    """

    tokens: Tensor
    pixels: Tensor | None = None
    waveform: Tensor | None = None
    target: Tensor | None = None


@dataclass(frozen=True, slots=True)
class DataOptions:
    """How examples are read. `text`: the column that is the text.

    `labels`: the classes; `multi_label`: a row may have several, with commas between.

    `min_scale`: area of a random crop of a picture, as a share; 1.0 crops nothing. `max_stretch`: its width over
    height, and the inverse, at most; 1.0 keeps it square, and its area exactly `min_scale`. `colour_jitter`: red,
    green and blue are multiplied by 1 ± this at most. `max_seconds`: a longer clip is cut, at a random place when
    `augment` is on. `max_speed`: clips are played up to this much faster or slower, pitch and all.
    """

    media: Media
    target: Literal["none", "region", "label"] = "none"
    min_scale: float = 1.0
    max_stretch: float = 1.0
    colour_jitter: float = 0.0
    max_seconds: float = 15.0
    max_speed: float = 1.0
    augment: bool = True
    text: Literal["text", "label"] = "text"
    labels: tuple[str, ...] = ()
    multi_label: bool = False


class ExampleSet(Dataset[Example]):
    """Rows of one or several tables (or folders of classes), decoded when asked for."""

    def __init__(self, paths: list[Path], tokenizer: Tokenizer, config: ModelConfig, options: DataOptions) -> None:
        self.rows = [row for path in paths for row in (rows_of_folders(path) if path.is_dir() else read_table(path))]
        self._tokenizer, self._config, self._options = tokenizer, config, options
        self._classes = {label: number for number, label in enumerate(options.labels)}
        self.seed = 0
        for row in self.rows:
            self._check_target(row)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        """Example `index`; random choices follow from the set's seed, the epoch in `index`'s high part, and the place.

        Args:
            index: epoch × number of rows + row.

        Raises:
            TableError: the file can't be decoded, or its target can't be used.
        """
        row = self.rows[index % len(self)]
        generator = np.random.default_rng([self.seed, index])
        text = row.text if self._options.text == "text" else row.label
        tokens = torch.tensor(self._tokenizer.encode(text).ids)
        try:
            data = row.path.read_bytes()
            if self._options.media == "audio":
                return Example(tokens, waveform=self._waveform(data, generator), target=self._target(row))
            image = decode_image(data, size=self._decoded_side(), max_pixels=MAX_PIXELS)
            return Example(tokens, pixels=self._vary(image.pixels, generator), target=self._target(row, image))
        except (OSError, InputError, ValueError) as error:
            raise TableError(f"{row.path} (example {row.id!r}): {error}") from error

    def durations_s(self) -> np.ndarray:
        """Length of every clip in seconds, float32 [rows], read from the headers; ones for pictures.

        Raises:
            TableError: a file can't be read.
        """
        if self._options.media == "image":
            return np.ones(len(self), dtype=np.float32)
        limit = self._options.max_seconds
        return np.array([min(_duration_s(row), limit) for row in self.rows], dtype=np.float32)

    def _decoded_side(self) -> int:
        size = self._config.image.image_size
        return round(size / self._options.min_scale**0.5) if self._options.augment else size

    def _vary(self, pixels: np.ndarray, generator: np.random.Generator) -> Tensor:
        """Crop uint8 [3, side, side] to [3, S, S], and shift its colours."""
        options, side = self._options, pixels.shape[1]
        size = self._config.image.image_size
        height = width = size
        if options.max_stretch > 1:
            area = side**2 * generator.uniform(options.min_scale, 1)
            ratio = options.max_stretch ** generator.uniform(-1, 1)
            height, width = (min(side, round((area * part) ** 0.5)) for part in (1 / ratio, ratio))
        top, left = (int(generator.integers(side - length + 1)) for length in (height, width))
        varied = torch.from_numpy(np.ascontiguousarray(pixels[:, top : top + height, left : left + width]))
        if (height, width) != (size, size):
            varied = F.interpolate(varied[None], (size, size), mode="bilinear", antialias=True)[0]
        if options.colour_jitter > 0:
            gains = torch.from_numpy(generator.uniform(-1, 1, (3, 1, 1)).astype(np.float32)) * options.colour_jitter + 1
            varied = (varied * gains).round().clamp(0, 255).to(torch.uint8)
        return varied

    def _waveform(self, data: bytes, generator: np.random.Generator) -> Tensor:
        options = self._options
        longest = MAX_SECONDS if options.augment else options.max_seconds
        waveform = decode_audio(data, spec=AudioSpec(max_s=longest), max_seconds=MAX_SECONDS).waveform
        if options.max_speed > 1:
            waveform = _play(waveform, options.max_speed ** generator.uniform(-1, 1))
        room = len(waveform) - int(options.max_seconds * AudioSpec().sample_rate_hz)
        start = int(generator.integers(room + 1)) if room > 0 else 0
        return torch.from_numpy(np.ascontiguousarray(waveform[start : len(waveform) - max(room, 0) + start]))

    def _classes_of(self, row: Row) -> list[int]:
        """Numbers of a row's classes, which it names, or numbers from 0 as VGGSound's tables do."""
        names = row.label.split(",") if self._options.multi_label else [row.label]
        for name in names:
            if name not in self._classes and not (name.isdecimal() and int(name) < len(self._classes)):
                raise ValueError(f"'{name}' is none of the {len(self._classes)} labels")
        return [self._classes[name] if name in self._classes else int(name) for name in names]

    def _check_target(self, row: Row) -> None:
        """Refuse a wrong label or region before any step.

        Raises:
            TableError: names the file, the example and what is wrong.
        """
        try:
            if self._options.target == "label":
                self._classes_of(row)
            elif self._options.target == "region":
                row.region()
        except ValueError as error:
            raise TableError(f"{row.path} (example {row.id!r}): {error}") from error

    def _target(self, row: Row, image: DecodedImage | None = None) -> Tensor | None:
        if self._options.target == "label":
            classes = torch.tensor(self._classes_of(row))
            return (
                torch.zeros(len(self._classes)).index_fill_(0, classes, 1) if self._options.multi_label else classes[0]
            )
        if self._options.target == "region" and image is not None:
            size = (image.width, image.height) * 2
            return torch.tensor([edge / side for edge, side in zip(row.region(), size, strict=True)])
        return None


def _play(clip: np.ndarray, speed: float) -> np.ndarray:
    """float32 [T] at another speed, linear between neighbours; what gets too short for the model is repeated."""
    samples = max(1, round(len(clip) / speed))
    played = np.interp(np.linspace(0, len(clip) - 1, samples), np.arange(len(clip)), clip).astype(np.float32)
    return np.resize(played, max(samples, AudioSpec().min_samples))


def _duration_s(row: Row) -> float:
    try:
        return float(soundfile.info(row.path).duration)
    except (OSError, soundfile.SoundFileError) as error:
        raise TableError(f"{row.path} (example {row.id!r}): {error}") from error
