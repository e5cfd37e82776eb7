from __future__ import annotations

import pytest
import torch

from export.one_peace.sequence import TokenSequence
from training.models.masking import draw_mask, keep


def padding_of(lengths: list[int], total: int) -> torch.Tensor:
    """True behind each row's cls and units."""
    return torch.arange(total) > torch.tensor(lengths)[:, None]


def draw(lengths, total, ratio, span=1, seed=0):
    padding = padding_of(lengths, total)
    return draw_mask(padding, ratio, span, torch.Generator().manual_seed(seed)), padding


@pytest.mark.parametrize("span", [1, 5])
@pytest.mark.parametrize("ratio", [0.15, 0.4, 0.55, 0.75])
def test_the_share_is_exact_in_every_row(ratio, span):
    lengths = [36, 36, 20, 7, 2, 1]
    mask, _ = draw(lengths, 37, ratio, span)
    wanted = [min(max(1, round(n * ratio)), n - 1) for n in lengths]  # one unit is always left to see
    assert mask.hidden.sum(1).tolist() == wanted
    assert wanted[-1] == 0


@pytest.mark.parametrize("span", [1, 5])
def test_cls_and_padding_are_never_hidden(span):
    for seed in range(50):
        mask, padding = draw([12, 3, 7, 1], 15, 0.75, span, seed)
        assert not mask.hidden[:, 0].any()
        assert not (mask.hidden & padding).any()


@pytest.mark.parametrize("span", [1, 5])
def test_kept_and_hidden_together_are_all_valid_units(span):
    lengths = [12, 3, 7, 1]
    for seed in range(50):
        mask, _ = draw(lengths, 15, 0.6, span, seed)
        for row, length in enumerate(lengths):
            kept = mask.kept[row][~mask.kept_padding[row]].tolist()
            hidden = mask.hidden[row].nonzero().flatten().tolist()
            assert kept[0] == 0
            assert sorted(kept + hidden) == list(range(length + 1))
            assert not mask.kept_padding[row, : len(kept)].any()  # fillers stand behind


def test_every_unit_is_hidden_about_as_often():
    counts = sum(draw([10], 11, 0.5, seed=seed)[0].hidden[0].int() for seed in range(600))
    assert counts[0] == 0
    assert ((counts[1:] - 300).abs() < 60).all()


def test_spans_hide_runs():
    def runs(span):
        total = 0
        for seed in range(40):
            hidden = draw([100], 101, 0.5, span, seed)[0].hidden[0].int()
            total += int((hidden.diff() == 1).sum())
        return total / 40

    assert 22 < runs(1) < 28  # 101 · ½ · ½
    assert runs(5) < 8


def test_within_a_span_all_are_hidden_or_all_kept_but_for_one_that_fills_up():
    for seed in range(20):
        hidden = draw([60], 61, 0.5, 5, seed)[0].hidden[0]
        parts = [hidden[start : start + 5] for start in range(5, 60, 5)]
        assert sum(bool(part.any() and not part.all()) for part in parts) <= 1


def test_the_generator_decides():
    assert torch.equal(draw([20], 21, 0.5, seed=1)[0].hidden, draw([20], 21, 0.5, seed=1)[0].hidden)
    assert not torch.equal(draw([20], 21, 0.5, seed=1)[0].hidden, draw([20], 21, 0.5, seed=2)[0].hidden)


def test_keep_gathers_features_and_biases():
    generator = torch.Generator().manual_seed(0)
    mask, padding = draw([9, 4, 6], 10, 0.5, seed=3)
    biases = tuple(torch.randn(1, 2, 10, 10, generator=generator) for _ in range(2))
    sequence = TokenSequence(torch.randn(3, 10, 8, generator=generator), padding, biases)
    kept = keep(sequence, mask)
    assert kept.padding is mask.kept_padding
    assert [bias.shape for bias in kept.biases] == [(3, 2, *[mask.kept.shape[1]] * 2)] * 2
    for row, places in enumerate(mask.kept.tolist()):
        for i, query in enumerate(places):
            assert torch.equal(kept.features[row, i], sequence.features[row, query])
            for j, key in enumerate(places):
                for before, after in zip(biases, kept.biases, strict=True):
                    assert torch.equal(after[row, :, i, j], before[0, :, query, key])
