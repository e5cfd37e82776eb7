"""One branch with random weights at the released size (or a tiny one), and rows for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from export.one_peace.checkpoint import Checkpoint, load_checkpoint
from export.one_peace.config import Modality, ModelConfig
from export.one_peace.random_checkpoint import RELEASED, TINY, random_config, write_random_checkpoint

RELEASED_VOCABULARY = 50264  # rows of the released token table
RELEASED_BUCKETS = (256, 16, 512)  # of position bias: text, side of the image's grid, audio
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True)
class Size:
    """What is measured: image side in pixels, token ids of a text, seconds of a clip, rows of a batch."""

    image_size: int
    token_ids: int
    seconds: float
    batches: tuple[int, ...]


FULL = Size(256, 32, 5.0, (1, 8, 32))
SMALL = Size(64, 12, 1.0, (1, 2))


@dataclass(frozen=True)
class Branch:
    """A branch, its checkpoint on disk, and the rows that it is measured with."""

    name: Modality
    checkpoint: Checkpoint
    size: Size

    def rows(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """Random rows without padding, as the contract's inputs: the same for every runner."""
        generator = torch.Generator().manual_seed(count)
        if self.name == "text":
            high = self.checkpoint.config.text.vocabulary_size
            inputs: tuple[Tensor, ...] = (torch.randint(4, high, (count, self.size.token_ids), generator=generator),)
        elif self.name == "image":
            side = self.size.image_size
            inputs = (torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8),)
        else:
            samples = int(self.size.seconds * SAMPLE_RATE_HZ)
            waveform = torch.randn(count, samples, generator=generator)
            inputs = (waveform, torch.full((count, 1), samples))
        return tuple(tensor.to(device) for tensor in inputs)


def write_branch(folder: Path, name: Modality, *, tiny: bool) -> Branch:
    """Write a random checkpoint in float16, as the released files are, and open it."""
    size = SMALL if tiny else FULL
    path = folder / f"{name}.pt"
    write_random_checkpoint(path, _config(name, size, tiny=tiny))
    return Branch(name, load_checkpoint(path), size)


def _config(name: Modality, size: Size, *, tiny: bool) -> ModelConfig:
    if not tiny:
        return random_config(
            RELEASED,
            head_type=name,
            image_size=size.image_size,
            vocabulary_size=RELEASED_VOCABULARY,
            buckets=RELEASED_BUCKETS,
        )
    config = random_config(replace(TINY, layers=2), head_type=name, image_size=size.image_size)
    layers = ((16, 10, 5), (16, 8, 8), (16, 8, 8))  # the same window and step as the seven, quick to trace
    return replace(config, audio=replace(config.audio, feature_layers=layers, position_depth=2))
