"""Text: token ids → encoder input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import EncoderConfig, TextConfig
from export.one_peace.positions import SequenceBias
from export.one_peace.sequence import TokenSequence
from service.repository import PAD_TOKEN


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
        self.position_bias: nn.Module | None = None
        if config.use_attn_bias:
            self.position_bias = SequenceBias(config.bucket_size, encoder.heads, tables)

    def forward(self, tokens: Tensor) -> TokenSequence:
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
        biases = () if self.position_bias is None else self.position_bias(length + 1)
        return TokenSequence(x, padding, biases)
