"""Image: pixels → encoder input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import PATCH, EncoderConfig, ImageConfig
from export.one_peace.positions import ImageBias
from export.one_peace.sequence import TokenSequence
from service.fingerprint import PIXEL_MEAN, PIXEL_STD


def normalize_pixels(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn RGB `pixels` uint8 [B, 3, S, S] into what the model was trained on, in `dtype`."""
    mean = torch.tensor(PIXEL_MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(PIXEL_STD, device=pixels.device).view(1, 3, 1, 1)
    return ((pixels.float() / 255 - mean) / std).to(dtype)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, h, w]."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every place by itself."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class HierarchicalPatches(nn.Module):
    """The `hmlp` stem: three convolutions that take 16 × 16 pixels to one vector, never across patches."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(3, dim // 4, 4, stride=4)
        self.norm_1 = ChannelNorm(dim // 4)
        self.conv_2 = nn.Conv2d(dim // 4, dim // 4, 2, stride=2)
        self.norm_2 = ChannelNorm(dim // 4)
        self.conv_3 = nn.Conv2d(dim // 4, dim, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, S, S] → [B, D, S/16, S/16]."""
        x = F.gelu(self.norm_1(self.conv_1(x)))  # [B, D/4, S/4, S/4]
        x = F.gelu(self.norm_2(self.conv_2(x)))  # [B, D/4, S/8, S/8]
        out: Tensor = self.conv_3(x)  # [B, D, S/16, S/16]
        return out


class ImageAdapter(nn.Module):
    """Patch vectors with learned positions and a cls token in front."""

    def __init__(self, config: ImageConfig, encoder: EncoderConfig, tables: int) -> None:
        super().__init__()
        self.config = config
        dim = encoder.dim
        hierarchical = config.stem == "hmlp"
        self.patches = HierarchicalPatches(dim) if hierarchical else nn.Conv2d(3, dim, PATCH, stride=PATCH, bias=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.position_embedding = nn.Parameter(torch.zeros(config.bucket_size**2 + 1, dim))
        self.type_embedding = nn.Parameter(torch.zeros(1, 1, dim)) if config.add_type_embedding else None
        self.second_type_embedding = nn.Parameter(torch.zeros(1, 1, dim)) if config.add_type_embedding else None
        self.embedding_norm = nn.LayerNorm(dim) if config.layernorm_embedding else None
        self.position_bias: nn.Module | None = None
        if config.use_attn_bias:
            self.position_bias = ImageBias(config.relative_bucket_size, encoder.heads, tables)

    def forward(self, pixels: Tensor, second: bool = False) -> TokenSequence:
        """Embed `pixels` uint8 [B, 3, S, S] as T = (S/16)² + 1 positions; `second` marks a pair's second image."""
        patches = self.patches(normalize_pixels(pixels, self.cls_token.dtype))
        patches = patches.flatten(2).transpose(1, 2)  # [B, T − 1, D]
        x = torch.cat([self.cls_token.expand(patches.shape[0], -1, -1), patches], dim=1)  # [B, T, D]
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        x = x + self.positions()
        if self.type_embedding is not None:
            x = x + self.type_embedding
        if second and self.second_type_embedding is not None:
            x = x + self.second_type_embedding
        biases = () if self.position_bias is None else self.position_bias(x.shape[1])
        return TokenSequence(x, None, biases)

    def positions(self) -> Tensor:
        """Position vectors [T, D], resized bicubically when the image's grid is not the learned one."""
        learned, grid = self.config.bucket_size, self.config.grid
        if learned == grid:
            return self.position_embedding
        cells = self.position_embedding[1:].float().reshape(1, learned, learned, -1).permute(0, 3, 1, 2)
        cells = F.interpolate(cells, size=(grid, grid), mode="bicubic", align_corners=False)
        cells = cells.permute(0, 2, 3, 1).reshape(grid * grid, -1).to(self.position_embedding.dtype)
        return torch.cat([self.position_embedding[:1], cells])
