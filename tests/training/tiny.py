"""Data, settings and models so small that a run takes a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import soundfile
import torch
import yaml
from PIL import Image

from export.tokenizer import build_tokenizer
from training.configuration import RunSettings, read_run
from training.data.batches import Batch
from training.data.table import Row, write_table
from training.data.vocabulary import write_vocabulary

VOCABULARY_SIZE = 4 + 256 + 40 + 4  # specials, bytes, merges, fillers to a multiple of 8
COLOURS = ("red", "green", "blue", "white", "black", "yellow", "orange", "purple")
PLACES = ("left", "right", "top", "bottom", "middle")
MODEL = {
    "dim": 32,
    "ffn_dim": 48,
    "layers": 2,
    "heads": 2,
    "image_size": 32,
    "text_buckets": 8,
    "audio_buckets": 8,
    "audio_layers": [[16, 200, 80], [16, 4, 4]],
    "audio_position_depth": 2,
    "audio_position_width": 6,
    "audio_position_groups": 4,
}
RUN = {
    "task": "vision_language",
    "seed": 3,
    "model": MODEL,
    "steps": 12,
    "batch_size": 4,
    "denoising": {"rows": 0.5, "layers": 1, "dim": 16, "heads": 2},
    "optimizer": {"learning_rate": 1.0e-3, "warmup_steps": 2},
    "threads": 1,
    "log_every": 1,
    "save_every": 4,
}


@cache
def vocabulary() -> Path:
    """A folder of vocabulary files with `VOCABULARY_SIZE` ids."""
    folder = Path(mkdtemp(prefix="vocabulary-"))
    assert write_vocabulary(folder, merges=40) == VOCABULARY_SIZE
    return folder


@cache
def tokenizer():
    return build_tokenizer(vocabulary())


def write_pictures(folder: Path, count: int = 40, seed: int = 0) -> Path:
    """A table of `count` pictures, each with a text of its own."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        pixels = generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(pixels).resize((42, 30)).save(path)
        text = f"{COLOURS[number % 8]} at the {PLACES[number // 8]}" + " far away" * (number % 3)
        rows.append(Row(f"p{number}", path, text, "4,3,20,18"))
    write_table(folder / "pictures.tsv", rows)
    return folder / "pictures.tsv"


def write_sounds(folder: Path, count: int = 12, seed: int = 0) -> Path:
    """A table of `count` tones between 1 and 1.6 s."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        path = folder / f"{number}.wav"
        steps = np.arange(16_000 + 800 * number)
        wave = np.sin(steps * (0.05 + 0.03 * number)) * 0.5 + generator.normal(0, 0.05, len(steps))
        soundfile.write(path, wave.astype(np.float32), 16_000)
        rows.append(Row(f"s{number}", path, f"tone of {COLOURS[number % 8]}", COLOURS[number % 3]))
    write_table(folder / "sounds.tsv", rows)
    return folder / "sounds.tsv"


def write_run(path: Path, train: Path, **changes) -> Path:
    """A YAML file for a run over the table `train`; its output lies beside it, under its stem."""
    content = {
        **RUN,
        "out": str(path.parent / path.stem),
        "data": {"train": [str(train)], "bpe_dir": str(vocabulary()), "workers": 0},
    }
    data = changes.pop("data", {})
    content = {**content, **changes, "data": {**content["data"], **data}}
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def settings(**changes) -> RunSettings:
    """Settings that need no files, for `build_model`."""
    data = {"train": ["-"], "bpe_dir": "-", **changes.pop("data", {})}
    content = {**RUN, "out": "-", "data": data, **changes}
    return RunSettings.model_validate({key: value for key, value in content.items() if value is not None})


def read(path: Path) -> RunSettings:
    return read_run(path)


def picture_batch(rows: int = 4, seed: int = 0, size: int = 32, vocabulary_size: int = VOCABULARY_SIZE) -> Batch:
    """Random texts of unequal length with random pictures."""
    return Batch(_tokens(rows, seed, vocabulary_size), pixels=_integers((rows, 3, size, size), 256, seed))


def sound_batch(rows: int = 4, seed: int = 0, vocabulary_size: int = VOCABULARY_SIZE) -> Batch:
    """Random texts with noise of unequal length."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([[16_000 + 1_600 * number] for number in range(rows)])
    waveform = torch.randn(rows, int(lengths.max()), generator=generator)
    waveform[torch.arange(waveform.shape[1]) >= lengths] = 0
    return Batch(_tokens(rows, seed, vocabulary_size), waveform=waveform, num_samples=lengths)


def _tokens(rows: int, seed: int, vocabulary_size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, vocabulary_size, (rows, 9), generator=generator)
    for row in range(rows):
        tokens[row, 8 - row % 4 :] = 1
    return tokens


def _integers(shape: tuple[int, ...], end: int, seed: int) -> torch.Tensor:
    return torch.randint(0, end, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
