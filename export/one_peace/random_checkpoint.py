"""Checkpoints with random weights in the released format: for tests, the stand-in model and dry runs at full size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.one_peace.checkpoint import released_name
from export.one_peace.config import (
    HEAD_MODALITIES,
    AdapterConfig,
    AudioConfig,
    EncoderConfig,
    HeadConfig,
    ImageConfig,
    ModelConfig,
    TextConfig,
)
from export.one_peace.model import ClassifyModel, EmbeddingModel
from export.one_peace.released_config import CLASSIFY_KIND, EMBEDDING_KIND

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


def random_state(
    config: ModelConfig, seed: int = 0, dtype: torch.dtype = torch.float16, factor: Callable[[str], float] | None = None
) -> dict[str, Tensor]:
    """Random weights of a model under their released names, scaled so that every layer matters.

    `factor` gives a further factor on a weight, from its name in our modules.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        model: nn.Module = EmbeddingModel(config) if config.head is None else ClassifyModel(config)
    state = {}
    for name, parameter in model.named_parameters():
        drawn = _draw(name, parameter.shape, generator)
        state[released_name(name)] = (drawn if factor is None else drawn * factor(name)).to(dtype)
    return state


def write_random_checkpoint(
    path: Path,
    config: ModelConfig,
    seed: int = 0,
    dtype: torch.dtype = torch.float16,
    factor: Callable[[str], float] | None = None,
) -> dict[str, Tensor]:
    """Write a random checkpoint to `path` and return its weights under their released names."""
    state = random_state(config, seed, dtype, factor)
    torch.save({"args": None, "cfg": released_config(config), "model": state}, path)
    return state


def released_config(config: ModelConfig) -> dict[str, Any]:
    """The `cfg` of a released file for `config`, as far as inference reads it."""
    head = config.head
    model = {
        "_name": EMBEDDING_KIND if head is None else CLASSIFY_KIND,
        "encoder": {**_adapter_settings(config), **_encoder_settings(config.encoder)},
        "copy_rel_pos_table": config.table_per_layer,
        "head_scale_ratio": 2 if head is None else head.scale_ratio,
        "use_pooler": head is not None and head.use_pooler,
        "attn_pooling": head is None or head.attention_pooling,
        "use_image_features": head is not None and head.use_image_features,
    }
    task = {
        "head_type": next(kind for kind, modalities in HEAD_MODALITIES.items() if modalities == config.modalities),
        "patch_image_size": config.image.image_size,
        "num_classes": None if head is None else head.num_classes,
        "use_two_images": head is not None and head.use_two_images,
        "max_src_length": config.max_text_tokens,
        "max_duration": config.audio.max_duration_s,
    }
    return {"model": model, "task": task}


def _adapter_settings(config: ModelConfig) -> dict[str, dict[str, Any]]:
    image, audio = config.image, config.audio
    return {
        "text_adapter": _adapter_flags(config.text),
        "image_adapter": {
            "rel_bucket_size": image.relative_bucket_size,
            "vision_encoder_type": image.stem,
            **_adapter_flags(image),
        },
        "audio_adapter": {
            "feature_encoder_spec": str(list(audio.feature_layers)),
            "abs_pos_type": "conv",
            "conv_pos_depth": audio.position_depth,
            "conv_pos_width": audio.position_width,
            "conv_pos_groups": audio.position_groups,
            "conv_pos_pre_ln": False,
            "conv_bias": audio.conv_bias,
            **_adapter_flags(audio),
        },
    }


def _adapter_flags(config: AdapterConfig) -> dict[str, Any]:
    return {
        "bucket_size": config.bucket_size,
        "layernorm_embedding": config.layernorm_embedding,
        "add_type_embedding": config.add_type_embedding,
        "use_attn_bias": config.use_attn_bias,
    }


def _encoder_settings(encoder: EncoderConfig) -> dict[str, Any]:
    return {
        "embed_dim": encoder.dim,
        "ffn_embed_dim": encoder.ffn_dim,
        "layers": encoder.layers,
        "attention_heads": encoder.heads,
        "normalize_before": True,
        "activation_fn": "gelu",
        "scale_heads": encoder.scale_heads,
        "magneto_scale_attn": encoder.norm_before_output,
        "scale_attn": encoder.norm_after_output,
        "scale_fc": encoder.norm_in_ffn,
        "use_layer_scale": encoder.layer_scale,
    }


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
