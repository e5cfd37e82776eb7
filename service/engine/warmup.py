"""Rows that wake a model up before the service is ready: one of each length bucket, then two of the longest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from service.engine.protocol import Array, Batch, RowInputs
from service.repository import CONTRACTS, PAD_TOKEN, ModelFolder, Tensor


def warmup_batches(model: ModelFolder) -> Iterator[Batch]:
    """One row alone for each length bucket, then a pair of the longest rows."""
    lengths = model.length_buckets or (_longest(model),)
    for length in lengths:
        yield Batch([warmup_row(model, length)])
    if model.max_batch_size > 1:
        yield Batch([warmup_row(model, lengths[-1])] * 2)


def warmup_row(model: ModelFolder, length: int) -> RowInputs:
    """One row of valid inputs. `length`: token ids, or samples when the model hears."""
    hears = any(tensor.name == "waveform" for tensor in CONTRACTS[model.name].inputs)
    tokens = min(length, model.card.max_tokens or length) if not hears else min(8, model.card.max_tokens or 8)
    return {tensor.name: _fill(tensor, model, tokens, length) for tensor in CONTRACTS[model.name].inputs}


def _fill(tensor: Tensor, model: ModelFolder, tokens: int, samples: int) -> Array:
    if tensor.name == "tokens":
        return np.full(tokens, PAD_TOKEN + 1, dtype=np.int64)
    if tensor.name == "num_samples":
        return np.array([samples], dtype=np.int64)
    if tensor.name == "waveform":
        return np.sin(np.arange(samples, dtype=np.float32))
    size = model.card.image_size or 1
    return np.full((3, size, size), 127, dtype=np.uint8)


def _longest(model: ModelFolder) -> int:
    card = model.card
    if card.max_audio_s and card.sample_rate_hz:
        return int(card.max_audio_s * card.sample_rate_hz)
    return card.max_tokens or 1
