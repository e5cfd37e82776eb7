"""Text: token ids → encoder input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import EncoderConfig, TextConfig
from export.one_peace.positions import PositionBias, sequence_buckets, sequence_table_size
from export.one_peace.sequence import Sequence

PAD_TOKEN = 1


class TextAdapter(nn.Module):
    """Learned token and position vectors with a cls token in front."""

    def __init__(self, config: TextConfig, encoder: EncoderConfig, tables: int) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, encoder.dim))
        self.token_embedding = nn.Parameter(torch.zeros(config.vocabulary_size, encoder.dim))
        self.position_embedding = nn.Parameter(torch.zeros(config.max_positions, encoder.dim))
        self.type_embedding = nn.Parameter(torch.zeros(1, 1, encoder.dim)) if config.add_type_embedding else None
        self.embedding_norm = nn.LayerNorm(encoder.dim) if config.layernorm_embedding else None
        rows = sequence_table_size(config.bucket_size)
        self.position_bias = PositionBias(rows, encoder.heads, tables) if config.use_attn_bias else None

    def forward(self, tokens: Tensor) -> Sequence:
        """Embed `tokens` int64 [B, n], pad id 1, as T = n + 1 positions."""
        rows, length = tokens.shape
        words = F.embedding(tokens, self.token_embedding)  # [B, n, D]
        x = torch.cat([self.cls_token.expand(rows, -1, -1), words], dim=1)  # [B, T, D]
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        x = x + self.position_embedding[: length + 1]
        if self.type_embedding is not None:
            x = x + self.type_embedding
        padding = F.pad(tokens == PAD_TOKEN, (1, 0))  # [B, T], cls is never padding
        return Sequence(x, padding, self._biases(length + 1))

    def _biases(self, length: int) -> tuple[Tensor, ...]:
        if self.position_bias is None:
            return ()
        biases: tuple[Tensor, ...] = self.position_bias(sequence_buckets(length, self.config.bucket_size))
        return biases
