"""Audio: waveform → encoder input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import AudioConfig, EncoderConfig
from export.one_peace.positions import SequenceBias
from export.one_peace.sequence import TokenSequence

SAMPLE_RATE_HZ = 16_000


class WaveformFeatures(nn.Module):
    """Strided convolutions over the waveform, then a projection to the encoder's width."""

    def __init__(self, config: AudioConfig, dim: int) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        channels_in = 1
        for channels, kernel, stride in config.feature_layers:
            self.convs.append(nn.Conv1d(channels_in, channels, kernel, stride=stride, bias=config.conv_bias))
            self.norms.append(nn.LayerNorm(channels))
            channels_in = channels
        self.norm = nn.LayerNorm(channels_in)
        self.projection = nn.Linear(channels_in, dim)

    def forward(self, waveform: Tensor) -> Tensor:
        """[B, n] → [B, frames, D]. No padding: a frame sees only samples inside its window."""
        x = waveform.unsqueeze(1)  # [B, 1, n]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.gelu(norm(conv(x).transpose(1, 2))).transpose(1, 2)  # [B, C, frames]
        out: Tensor = self.projection(self.norm(x.transpose(1, 2)))
        return out


class ConvolutionalPositions(nn.Module):
    """Stacked grouped convolutions that tell a frame where it stands."""

    def __init__(self, config: AudioConfig, dim: int) -> None:
        super().__init__()
        kernel, groups = config.position_kernel, config.position_groups
        self.dim = dim
        self.drop_last = kernel % 2 == 0
        self.convs = nn.ModuleList(
            nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups) for _ in range(config.position_depth)
        )

    def forward(self, frames: Tensor, padding: Tensor) -> Tensor:
        """Positions [B, frames, D]; frames under `padding` [B, frames, 1] are zeroed before every block.

        A clip's end then looks the same whether zeros of the batch or of the convolution follow it.
        """
        x = frames
        for conv in self.convs:
            x = conv(x.masked_fill(padding, 0).transpose(1, 2))  # [B, D, frames (+ 1)]
            x = x[:, :, :-1] if self.drop_last else x
            x = F.gelu(F.layer_norm(x.transpose(1, 2), (self.dim,)))  # [B, frames, D]
        return x


class AudioAdapter(nn.Module):
    """Frames of 20 ms with convolutional positions and a cls token in front."""

    def __init__(self, config: AudioConfig, encoder: EncoderConfig, tables: int) -> None:
        super().__init__()
        self.config = config
        dim = encoder.dim
        self.features = WaveformFeatures(config, dim)
        self.positions = ConvolutionalPositions(config, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.cls_position = nn.Parameter(torch.zeros(1, 1, dim))
        self.type_embedding = nn.Parameter(torch.zeros(1, 1, dim)) if config.add_type_embedding else None
        self.embedding_norm = nn.LayerNorm(dim) if config.layernorm_embedding else None
        self.position_bias: nn.Module | None = None
        if config.use_attn_bias:
            self.position_bias = SequenceBias(config.bucket_size, encoder.heads, tables)

    def forward(self, waveform: Tensor, num_samples: Tensor) -> TokenSequence:
        """Embed `waveform` float32 [B, n], 16 kHz, normalised; row b is padding from `num_samples` int64 [B, 1] on."""
        frames = self.features(waveform.to(self.cls_token.dtype))  # [B, T − 1, D]
        rows, length = frames.shape[0], frames.shape[1]
        steps = torch.arange(length, device=frames.device)
        padding = steps >= frame_count(num_samples, self.config)  # [B, T − 1]
        frames = frames.masked_fill(padding.unsqueeze(2), 0)
        places = self.positions(frames, padding.unsqueeze(2))
        x = torch.cat([self.cls_token.expand(rows, -1, -1), frames], dim=1)  # [B, T, D]
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        x = x + torch.cat([self.cls_position.expand(rows, -1, -1), places], dim=1)
        if self.type_embedding is not None:
            x = x + self.type_embedding
        biases = () if self.position_bias is None else self.position_bias(length + 1)
        return TokenSequence(x, F.pad(padding, (1, 0)), biases)


def frame_count(num_samples: Tensor, config: AudioConfig) -> Tensor:
    """Frames whose windows lie within `num_samples` int64 of any shape: 16,000 samples give 49.

    Stacked convolutions without padding act as one whose window and step are composed of theirs.
    """
    window, step = 1, 1
    for _, kernel, stride in config.feature_layers:
        window, step = window + (kernel - 1) * step, step * stride
    return torch.div(num_samples - window, step, rounding_mode="floor") + 1


def max_frames(config: AudioConfig) -> int:
    """Frames of the longest clip that the model was trained on."""
    return int(frame_count(torch.tensor(int(config.max_duration_s * SAMPLE_RATE_HZ)), config))
