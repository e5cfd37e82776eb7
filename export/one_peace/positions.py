"""Relative position bias: which row of a learned table each (query, key) pair reads."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from export.one_peace.config import MAX_RELATIVE_DISTANCE


def sequence_table_size(bucket_size: int) -> int:
    """Rows of the table of text and audio: 2b − 1 distances, then cls as query, cls as key, cls with itself."""
    return 2 * bucket_size - 1 + 3


def image_table_size(grid: int) -> int:
    """Rows of the table of a `grid` × `grid` image: (2g − 1)² offsets and the three of cls."""
    return (2 * grid - 1) ** 2 + 3


def sequence_buckets(length: int, bucket_size: int) -> Tensor:
    """Table rows for a sequence of cls and `length` − 1 positions: int64 [T, T], query first.

    Near distances have a bucket each, far ones share buckets of growing (logarithmic) width; ONE-PEACE,
    arXiv:2305.11172, after T5, arXiv:1910.10683. The logarithm is taken in float32, as in training.
    """
    mid = bucket_size // 2
    steps = torch.arange(length)
    distance = steps[:, None] - steps[None, :]  # [T, T]
    near = (distance < mid) & (distance > -mid)
    magnitude = torch.where(near, torch.tensor(mid - 1), distance.abs())
    octaves = torch.log(magnitude / mid) / math.log((MAX_RELATIVE_DISTANCE - 1) / mid) * (mid - 1)
    far = (torch.ceil(octaves) + mid).long() * distance.sign()
    buckets = torch.where(magnitude <= mid, distance, far) + bucket_size - 1
    return _add_cls(buckets[: length - 1, : length - 1], 2 * bucket_size - 1)


def image_buckets(grid: int) -> Tensor:
    """Table rows for cls and `grid`² cells in row-major order: int64 [T, T], T = grid² + 1, query first."""
    steps = torch.arange(grid)
    offset = steps[:, None] - steps[None, :] + grid - 1  # [g, g]
    rows = offset[:, None, :, None] * (2 * grid - 1)  # [g, 1, g, 1]
    cells = (rows + offset[None, :, None, :]).reshape(grid * grid, grid * grid)
    return _add_cls(cells, (2 * grid - 1) ** 2)


class PositionBias(nn.Module, ABC):
    """Learned bias on attention scores: one table [rows, H] for all layers, or one for each layer."""

    def __init__(self, rows: int, heads: int, tables: int) -> None:
        super().__init__()
        self.tables = nn.ParameterList([nn.Parameter(torch.zeros(rows, heads)) for _ in range(tables)])

    @abstractmethod
    def buckets(self, length: int) -> Tensor:
        """Table rows int64 [T, T] for T = `length` positions, cls first."""

    def forward(self, length: int) -> tuple[Tensor, ...]:
        """Bias matrices [1, H, T, T], one for each table."""
        index = self.buckets(length).to(self.tables[0].device)
        return tuple(table[index].permute(2, 0, 1).unsqueeze(0) for table in self.tables)  # [1, H, T, T]


class SequenceBias(PositionBias):
    """The bias of text and audio."""

    def __init__(self, bucket_size: int, heads: int, tables: int) -> None:
        super().__init__(sequence_table_size(bucket_size), heads, tables)
        self.bucket_size = bucket_size

    def buckets(self, length: int) -> Tensor:
        """Table rows int64 [T, T]."""
        return sequence_buckets(length, self.bucket_size)


class ImageBias(PositionBias):
    """The bias of an image of `grid` × `grid` patches: `length` is always `grid`² + 1."""

    def __init__(self, grid: int, heads: int, tables: int) -> None:
        super().__init__(image_table_size(grid), heads, tables)
        self.grid = grid

    def buckets(self, length: int) -> Tensor:  # noqa: ARG002
        """Table rows int64 [T, T]."""
        return image_buckets(self.grid)


def _add_cls(buckets: Tensor, first_free: int) -> Tensor:
    full = torch.empty(buckets.shape[0] + 1, buckets.shape[1] + 1, dtype=torch.int64)
    full[1:, 1:] = buckets
    full[0, :], full[:, 0], full[0, 0] = first_free, first_free + 1, first_free + 2
    return full
