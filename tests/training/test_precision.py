from __future__ import annotations

import torch
from torch import nn

from training.precision import keep_convolutions_in_float32


def test_convolutions_stay_exact_and_the_rest_does_not():
    model = nn.Sequential(nn.Conv1d(1, 4, 5, stride=2), nn.Flatten(), nn.Linear(4 * 30, 3))
    wave = torch.randn(2, 1, 63, generator=torch.Generator().manual_seed(0))
    exact = model[0](wave)
    keep_convolutions_in_float32(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = wave.bfloat16()
        assert torch.equal(model[0](wave), exact)
        assert model[0](half).dtype == torch.float32
        assert model(wave).dtype == torch.bfloat16
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
