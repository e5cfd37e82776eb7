"""Stacking rows."""

from __future__ import annotations

import numpy as np

from service.engine.protocol import Batch, RowInputs


def clip_row(samples: int, tokens: int) -> RowInputs:
    return {
        "waveform": np.full(samples, 0.5, dtype=np.float32),
        "num_samples": np.array([samples]),
        "tokens": np.full(tokens, 7, dtype=np.int64),
    }


def test_waveforms_are_padded_with_zeros_and_tokens_with_the_pad_id() -> None:
    tensors = Batch([clip_row(3, 2), clip_row(5, 4)]).tensors()
    assert tensors["waveform"].tolist() == [[0.5, 0.5, 0.5, 0, 0], [0.5] * 5]
    assert tensors["tokens"].tolist() == [[7, 7, 1, 1], [7, 7, 7, 7]]
    assert tensors["num_samples"].tolist() == [[3], [5]]


def test_a_bucket_pads_the_waveform_where_there_is_one() -> None:
    tensors = Batch([clip_row(3, 2), clip_row(5, 4)], length=8).tensors()
    assert tensors["waveform"].shape == (2, 8)
    assert tensors["tokens"].shape == (2, 4)


def test_one_row_is_not_copied() -> None:
    row = {"pixels": np.zeros((3, 4, 4), dtype=np.uint8)}
    assert np.shares_memory(Batch([row]).tensors()["pixels"], row["pixels"])
