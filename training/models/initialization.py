"""Random weights to start from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from export.one_peace.config import AudioConfig, EncoderConfig, ImageConfig, ModelConfig, TextConfig
from training.configuration import ModelSettings

EMBEDDING_STD = 0.02
SAMPLE_RATE_HZ = 16_000
LOWEST_HZ, HIGHEST_HZ = 60.0, 7_600.0
FIRST_LOGIT_SCALE = 1 / 0.07  # of CLIP, arXiv:2103.00020, which ONE-PEACE took


def model_config(settings: ModelSettings, vocabulary_size: int) -> ModelConfig:
    """The configuration of a new embedding model with all three branches."""
    grid = settings.image_size // 16
    return ModelConfig(
        encoder=EncoderConfig(settings.dim, settings.ffn_dim, settings.layers, settings.heads),
        text=TextConfig(settings.text_buckets, vocabulary_size=vocabulary_size),
        image=ImageConfig(grid, image_size=settings.image_size, relative_bucket_size=grid),
        audio=AudioConfig(
            settings.audio_buckets,
            feature_layers=tuple(settings.audio_layers),
            position_depth=settings.audio_position_depth,
            position_width=settings.audio_position_width,
            position_groups=settings.audio_position_groups,
        ),
        modalities=("text", "image", "audio"),
    )


def initialize(module: nn.Module, layers: int, generator: torch.Generator, gain: float = 1.0) -> None:
    """Draw every weight: matrices with variance 1 / fan-in, those that end a residual branch less, the rest near 0.

    Norms start at 1 and 0, biases and relative position tables at 0.

    Args:
        module: with parameters on the CPU.
        layers: depth of the encoder.
        generator: of random numbers.
        gain: of the residual branches (LayerScale, arXiv:2103.17239).
    """
    norms = {id(p) for m in module.modules() if isinstance(m, nn.LayerNorm) for p in m.parameters()}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("_gain"):
                parameter.fill_(gain)
            elif id(parameter) in norms or name.endswith("head_scale"):
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            elif name.endswith("logit_scale"):
                parameter.fill_(math.log(FIRST_LOGIT_SCALE))
            elif name.endswith("bias") or ".tables." in name:
                parameter.zero_()
            elif name.endswith(("embedding", "cls_token", "cls_position", "query")) or "mask_token" in name:
                parameter.copy_(_normal(parameter, EMBEDDING_STD, generator))
            else:
                std = 1 / math.sqrt(math.prod(parameter.shape[1:]) or 1)
                last = name.endswith(("attention.output.weight", "down.weight"))
                parameter.copy_(_normal(parameter, std / math.sqrt(2 * layers) if last else std, generator))


def initialize_filterbank(convolution: nn.Module) -> None:
    """Start a waveform convolution as windowed cosines, four phases of each frequency, evenly spaced in mel.

    A learned front end that starts from such filters needs far less data than one from noise (SincNet,
    arXiv:1808.00158; LEAF, arXiv:2101.08596). It is trained like any other weight.
    """
    if not isinstance(convolution, nn.Conv1d):
        raise TypeError("a filterbank is a Conv1d")
    channels, width = convolution.out_channels, convolution.kernel_size[0]
    count = channels // 4
    mel = torch.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), count)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    time_s = (torch.arange(width) - (width - 1) / 2) / SAMPLE_RATE_HZ
    window = torch.hann_window(width, periodic=False)
    phases = [torch.cos(2 * math.pi * hertz[:, None] * time_s + quarter * math.pi / 2) * window for quarter in range(4)]
    filters = torch.cat(phases)  # [4 · count, width]
    with torch.no_grad():
        convolution.weight[: len(filters), 0] = filters / filters.norm(dim=1, keepdim=True)


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _normal(like: Tensor, std: float, generator: torch.Generator) -> Tensor:
    drawn = torch.empty(like.shape)
    return nn.init.trunc_normal_(drawn, std=std, a=-2 * std, b=2 * std, generator=generator)
