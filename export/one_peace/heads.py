"""The classify head: pooled features → logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import EncoderConfig, HeadConfig


class AttentionPooling(nn.Module):
    """One learned query looks at all positions; its scores are not divided by √d."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Parameter(torch.zeros(1, 1, config.heads, config.head_dim))
        self.key = nn.Linear(config.dim, config.dim, bias=False)
        self.value = nn.Linear(config.dim, config.dim)
        self.output = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """[B, T, D] → [B, D], without the positions under `padding` bool [B, T]."""
        k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.key(x), self.value(x)))
        scores = (self.query.transpose(1, 2) @ k.transpose(2, 3)).float()  # [B, H, 1, T]
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None, :], -torch.inf)
        mixed = scores.softmax(-1).to(v.dtype) @ v  # [B, H, 1, d]
        out: Tensor = self.output(mixed.transpose(1, 2).flatten(1))
        return out


class ClassifyHead(nn.Module):
    """Pool a sequence to one vector, and classify one vector or a pair of them."""

    def __init__(self, config: HeadConfig, encoder: EncoderConfig) -> None:
        super().__init__()
        dim, hidden = encoder.dim, encoder.dim * config.scale_ratio
        self.pooling = AttentionPooling(encoder) if config.attention_pooling else None
        self.pooling_norm = nn.LayerNorm(dim) if config.attention_pooling else None
        self.pooler = nn.Linear(dim, dim) if config.use_pooler else None
        self.hidden = nn.Linear(dim * (2 if config.use_two_images else 1), hidden)
        self.hidden_norm = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, config.num_classes)

    def pool(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """[B, T, D] → [B, D]. Attention pooling leaves cls out; without it cls alone is taken."""
        if self.pooling is None or self.pooling_norm is None:
            pooled = x[:, 0]
        else:
            pooled = self.pooling_norm(self.pooling(x[:, 1:], None if padding is None else padding[:, 1:]))
        return pooled if self.pooler is None else torch.tanh(self.pooler(pooled))

    def classify(self, pooled: Tensor) -> Tensor:
        """[B, D] (or [B, 2·D] of a pair) → logits [B, C]."""
        out: Tensor = self.output(F.gelu(self.hidden_norm(self.hidden(pooled))))
        return out
