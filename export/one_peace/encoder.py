"""The encoder: attention shared by all modalities, a feed-forward network for each."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import EncoderConfig, Modality
from export.one_peace.sequence import TokenSequence


class FusedAttention(nn.Module):
    """softmax(q kᵀ/√d + bias) v in PyTorch's fused kernel. The export puts an ONNX operator in its place."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, qkv: tuple[Tensor, Tensor, Tensor], bias: Tensor | None, padding: Tensor | None) -> Tensor:
        """Mix q, k, v [B, T, D]; `bias` [1, H, T, T]; keys under `padding` bool [B, T] are left out.

        Position 0 is cls and never padding, so no row of scores is empty.
        """
        q, k, v = (x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2) for x in qkv)  # [B, H, T, d]
        mask = bias
        if padding is not None:
            closed = torch.zeros_like(padding, dtype=q.dtype).masked_fill(padding, -torch.inf)
            closed = closed[:, None, None, :]  # [B, 1, 1, T]
            mask = closed if mask is None else mask + closed  # [B, H, T, T]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return mixed.transpose(1, 2).flatten(2)  # [B, T, D]


class SelfAttention(nn.Module):
    """Multi-head attention; keys have no bias, and a layer norm stands before the output projection."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query = nn.Linear(config.dim, config.dim)
        self.key = nn.Linear(config.dim, config.dim, bias=False)
        self.value = nn.Linear(config.dim, config.dim)
        self.attend: nn.Module = FusedAttention(config.heads)
        self.head_scale = nn.Parameter(torch.ones(config.heads)) if config.scale_heads else None
        self.norm = nn.LayerNorm(config.dim) if config.norm_before_output else None
        self.output = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, bias: Tensor | None, padding: Tensor | None) -> Tensor:
        """[B, T, D] → [B, T, D]."""
        x = self.attend((self.query(x), self.key(x), self.value(x)), bias, padding)
        if self.head_scale is not None:
            x = x * self.head_scale.repeat_interleave(self.head_dim)
        if self.norm is not None:
            x = self.norm(x)
        out: Tensor = self.output(x)
        return out


class FeedForward(nn.Module):
    """GeGLU, arXiv:2002.05202, with a layer norm before the last projection."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.up = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.norm = nn.LayerNorm(config.ffn_dim) if config.norm_in_ffn else None
        self.down = nn.Linear(config.ffn_dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] → [B, T, D]."""
        x = F.gelu(self.gate(x)) * self.up(x)  # [B, T, F]
        if self.norm is not None:
            x = self.norm(x)
        out: Tensor = self.down(x)
        return out


class EncoderLayer(nn.Module):
    """x + gain · attention(norm(x)), then x + gain · FFN of each modality(norm(x))."""

    def __init__(self, config: EncoderConfig, modalities: Iterable[Modality]) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim)
        self.attention = SelfAttention(config)
        self.attention_output_norm = nn.LayerNorm(config.dim) if config.norm_after_output else None
        self.attention_gain = nn.Parameter(torch.ones(config.dim)) if config.layer_scale else None
        self.ffn_norm = nn.LayerNorm(config.dim)
        self.ffns = nn.ModuleDict({modality: FeedForward(config) for modality in modalities})
        self.ffn_gain = nn.Parameter(torch.ones(config.dim)) if config.layer_scale else None

    def forward(self, x: Tensor, bias: Tensor | None, padding: Tensor | None, lengths: dict[Modality, int]) -> Tensor:
        """[B, T, D] → [B, T, D]; `lengths` splits T by modality, in order."""
        mixed = self.attention(self.attention_norm(x), bias, padding)
        if self.attention_output_norm is not None:
            mixed = self.attention_output_norm(mixed)
        x = x + (mixed if self.attention_gain is None else mixed * self.attention_gain)
        parts = split_modalities(self.ffn_norm(x), lengths)
        fed = torch.cat([self.ffns[modality](part) for modality, part in parts.items()], dim=1)
        return x + (fed if self.ffn_gain is None else fed * self.ffn_gain)


class Encoder(nn.Module):
    """A stack of layers over the joined tokens of one or two modalities."""

    def __init__(self, config: EncoderConfig, modalities: Iterable[Modality]) -> None:
        super().__init__()
        modalities = tuple(modalities)
        self.layers = nn.ModuleList(EncoderLayer(config, modalities) for _ in range(config.layers))
        self.final_norms = nn.ModuleDict({modality: nn.LayerNorm(config.dim) for modality in modalities})

    def forward(self, sequences: dict[Modality, TokenSequence]) -> dict[Modality, Tensor]:
        """Encode the modalities together: features [B, T, D] of each."""
        lengths: dict[Modality, int] = {modality: s.features.shape[1] for modality, s in sequences.items()}
        padding = join_padding(list(sequences.values()))
        biases = join_biases(list(sequences.values()))
        x = torch.cat([s.features for s in sequences.values()], dim=1)  # [B, T, D]
        if padding is not None:
            x = x.masked_fill(padding.unsqueeze(2), 0)
        for number, layer in enumerate(self.layers):
            bias = biases[number if len(biases) > 1 else 0] if biases else None
            x = layer(x, bias, padding, lengths)
        return {m: self.final_norms[m](part) for m, part in split_modalities(x, lengths).items()}


def split_modalities(x: Tensor, lengths: dict[Modality, int]) -> dict[Modality, Tensor]:
    """Cut [B, T, D] along T."""
    if len(lengths) == 1:
        return dict.fromkeys(lengths, x)
    return dict(zip(lengths, torch.split(x, list(lengths.values()), dim=1), strict=True))


def join_padding(sequences: list[TokenSequence]) -> Tensor | None:
    """Padding of the joined tokens, bool [B, T]; None when nothing is padded."""
    if all(s.padding is None for s in sequences):
        return None
    parts = [
        torch.zeros_like(s.features[:, :, 0], dtype=torch.bool) if s.padding is None else s.padding for s in sequences
    ]
    return torch.cat(parts, dim=1)


def join_biases(sequences: list[TokenSequence]) -> list[Tensor]:
    """Bias matrices of the joined tokens, [1, H, T, T]: block-diagonal, zero between modalities."""
    if len(sequences) == 1:
        return list(sequences[0].biases)
    tables = max(len(s.biases) for s in sequences)
    return [_block_diagonal([_bias_or_zero(s, number) for s in sequences]) for number in range(tables)]


def _bias_or_zero(sequence: TokenSequence, number: int) -> Tensor:
    if sequence.biases:
        return sequence.biases[number if len(sequence.biases) > 1 else 0]
    length = sequence.features.shape[1]
    return sequence.features.new_zeros(1, 1, length, length)


def _block_diagonal(blocks: list[Tensor]) -> Tensor:
    total, before, rows = sum(block.shape[-1] for block in blocks), 0, []
    heads = max(block.shape[1] for block in blocks)
    for block in blocks:
        after = total - before - block.shape[-1]
        rows.append(F.pad(block.expand(-1, heads, -1, -1), (before, after)))  # [1, H, t, T]
        before += block.shape[-1]
    return torch.cat(rows, dim=2)
