"""Which units of a sequence are hidden from the encoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from export.one_peace.sequence import TokenSequence


class Mask(NamedTuple):
    """Units hidden and kept of a batch of sequences.

    `hidden` bool [B, T]: units to recover; never cls, never padding. `kept` int64 [B, K]: places of the units that the
    encoder sees, cls first. `kept_padding` bool [B, K]: entries of `kept` that only fill a shorter row.
    """

    hidden: Tensor
    kept: Tensor
    kept_padding: Tensor


def draw_mask(padding: Tensor, ratio: float, span: int, generator: torch.Generator) -> Mask:
    """Hide a share of each row's units, at least one where it has two, in runs of `span` neighbours.

    Args:
        padding: bool [B, T], true where padded; place 0 is cls.
        ratio: share of the units that are hidden, between 0 and 1.
        span: length of a run, in units; 1 hides units one by one.
        generator: of random numbers, on the CPU.
    """
    rows, length = padding.shape
    draws = torch.rand(rows, -(-length // span), generator=generator).repeat_interleave(span, dim=1)[:, :length]
    order = draws.to(padding.device).masked_fill(padding, 2)  # padding last
    order[:, 0] = -1  # cls first
    units = (~padding).sum(dim=1) - 1
    kept_count = 1 + units - (units * ratio).round().long().clamp(min=1).minimum(units - 1).clamp(min=0)
    ranking = order.argsort(dim=1, stable=True)
    places = torch.arange(length, device=padding.device)
    rank = torch.empty_like(ranking).scatter_(1, ranking, places.expand(rows, -1))
    hidden = (rank >= kept_count[:, None]) & ~padding
    kept = ranking[:, : int(kept_count.max())]
    return Mask(hidden, kept, places[: kept.shape[1]] >= kept_count[:, None])


def keep(sequence: TokenSequence, mask: Mask) -> TokenSequence:
    """The sequence as the encoder sees it: features, padding and biases of the kept units alone."""
    features = sequence.features.gather(1, mask.kept.unsqueeze(2).expand(-1, -1, sequence.features.shape[2]))
    query, key = mask.kept[:, :, None], mask.kept[:, None, :]
    biases = tuple(bias[0][:, query, key].transpose(0, 1) for bias in sequence.biases)  # [B, H, K, K]
    return TokenSequence(features, mask.kept_padding, biases)
