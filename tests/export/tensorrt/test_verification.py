"""The rows that a plan is held against its ONNX model with."""

from __future__ import annotations

import numpy as np
import pytest

from export.profiles import bucket_profiles
from export.tensorrt.verification import profile_rows
from service.repository import PAD_TOKEN, read_repository
from tests.export.committed import run
from tests.repository import REPOSITORY

MODELS = read_repository(REPOSITORY)


@pytest.mark.parametrize("name", MODELS)
def test_there_is_a_batch_inside_each_profile(name):
    model = MODELS[name]
    batches, profiles = list(profile_rows(model)), bucket_profiles(model)
    for rows, profile in zip(batches, profiles, strict=True):
        for tensor, values in rows.items():
            ranges = zip(profile.min[tensor], values.shape, profile.max[tensor], strict=True)
            assert all(low <= size <= high for low, size, high in ranges)
    assert np.isfinite(run(model.onnx_path, batches[0])).all()


def test_one_row_is_padded():
    sound, words = list(profile_rows(MODELS["audio"]))[-1], list(profile_rows(MODELS["text"]))[-1]
    assert sound["num_samples"].ravel().tolist() == [240_000, 180_000]
    assert not sound["waveform"][1, 180_000:].any()
    assert sound["waveform"][1, :180_000].any()
    assert (words["tokens"][1] == PAD_TOKEN).sum() == 36
    assert words["tokens"].max() < 5000
