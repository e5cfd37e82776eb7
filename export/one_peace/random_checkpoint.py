"""Checkpoints with random weights in the released format: for tests and dry runs at full size."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from export.one_peace.checkpoint import released_name, write_checkpoint
from export.one_peace.config import (
    HEAD_MODALITIES,
    AudioConfig,
    EncoderConfig,
    HeadConfig,
    ImageConfig,
    ModelConfig,
    TextConfig,
)
from export.one_peace.model import ClassifyModel, EmbeddingModel

# (kernel, stride) of the seven waveform convolutions of the released models
RELEASED_STRIDES = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
TINY = EncoderConfig(dim=64, ffn_dim=128, layers=3, heads=4)
RELEASED = EncoderConfig(dim=1536, ffn_dim=6144, layers=40, heads=24)


def random_config(
    encoder: EncoderConfig = TINY,
    *,
    head_type: str = "val",
    head: HeadConfig | None = None,
    vocabulary_size: int = 600,
    image_size: int = 64,
    buckets: tuple[int, int, int] = (16, 4, 24),
) -> ModelConfig:
    """Sizes of a small model; `buckets` are those of text, image (side of the learned grid) and audio.

    Use `dataclasses.replace` for whatever else shall differ.
    """
    channels, groups = max(16, encoder.dim // 3 // 16 * 16), math.gcd(encoder.dim, 16)
    typed = head is not None
    return ModelConfig(
        encoder=encoder,
        text=TextConfig(buckets[0], add_type_embedding=typed, vocabulary_size=vocabulary_size),
        image=ImageConfig(
            buckets[1], add_type_embedding=typed, image_size=image_size, relative_bucket_size=image_size // 16
        ),
        audio=AudioConfig(
            buckets[2],
            add_type_embedding=typed,
            feature_layers=tuple((channels, kernel, stride) for kernel, stride in RELEASED_STRIDES),
            position_groups=groups,
        ),
        modalities=HEAD_MODALITIES[head_type],
        head=head,
    )


def random_state(config: ModelConfig, seed: int = 0, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """Random weights of a model under their released names, scaled so that every layer matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        model: nn.Module = EmbeddingModel(config) if config.head is None else ClassifyModel(config)
    return {
        released_name(name): _draw(name, parameter.shape, generator).to(dtype)
        for name, parameter in model.named_parameters()
    }


def write_random_checkpoint(
    path: Path, config: ModelConfig, seed: int = 0, dtype: torch.dtype = torch.float16
) -> dict[str, Tensor]:
    """Write a random checkpoint to `path` and return its weights under their released names."""
    state = random_state(config, seed, dtype)
    write_checkpoint(path, config, state)
    return state


def with_options(config: ModelConfig, **options: bool) -> ModelConfig:
    """`config` with encoder options changed."""
    return replace(config, encoder=replace(config.encoder, **options))


def _draw(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if name == "logit_scale":
        return torch.full(shape, math.log(100 / 7))
    if name.endswith("_gain"):
        return 0.5 + 0.2 * noise
    if "norm" in name.split(".")[-2] or name.endswith("head_scale"):
        return 0.1 * noise if name.endswith("bias") else 1 + 0.2 * noise
    if "position_bias" in name:
        return 0.5 * noise
    if name.endswith("bias"):
        return 0.1 * noise
    if name.endswith(("embedding", "cls_token", "cls_position", "pooling.query")):
        return 0.5 * noise
    fan_in = math.prod(shape[1:])
    return noise / math.sqrt(fan_in)
