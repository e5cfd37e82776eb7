"""What an adapter hands to the encoder."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class TokenSequence(NamedTuple):
    """One modality's tokens.

    `features` [B, T, D], cls first. `padding` bool [B, T], true where padded; None: nothing is padded.
    `biases` holds matrices [1, H, T, T] on the attention scores: none, one for all layers, or one for each layer.
    """

    features: Tensor
    padding: Tensor | None
    biases: tuple[Tensor, ...]
