from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from training.data.batches import GROUPED_BATCHES, BatchPlan, Share, join
from training.data.examples import Example

LENGTHS = np.random.default_rng(1).uniform(1, 5, 50).astype(np.float32)


def first(plan: BatchPlan, count: int, start: int = 0) -> list[list[int]]:
    plan.start = start
    return list(islice(iter(plan), count))


def test_an_epoch_shows_every_example_once_but_for_the_last_incomplete_batch():
    plan = BatchPlan(LENGTHS, 8, seed=3)
    assert plan.batches_per_epoch == 6
    left_out = set()
    for epoch in range(20):
        rows = np.concatenate(plan.epoch(epoch))
        assert len(rows) == len(set(rows)) == 48
        assert set(rows) <= set(range(50))
        left_out |= set(range(50)) - set(rows)
    assert len(left_out) > 20  # other ones each time


def test_when_batches_fill_the_set_an_epoch_is_a_permutation():
    batches = BatchPlan(LENGTHS, 10, seed=3).epoch(4)
    assert sorted(np.concatenate(batches)) == list(range(50))


def test_epochs_and_seeds_differ_and_repeat():
    plan = BatchPlan(LENGTHS, 8, seed=3)
    assert first(plan, 30) == first(BatchPlan(LENGTHS, 8, seed=3), 30)
    assert first(plan, 30) != first(BatchPlan(LENGTHS, 8, seed=4), 30)
    assert not np.array_equal(plan.epoch(0), plan.epoch(1))


@pytest.mark.parametrize("start", [0, 1, 5, 6, 7, 12, 23])
def test_starting_later_gives_the_batches_that_going_through_gives(start):
    plan = BatchPlan(LENGTHS, 8, seed=3)
    assert first(plan, 10, start) == first(plan, start + 10)[start:]


def test_rows_of_a_batch_are_not_in_order_of_length():
    """Denoising takes the first ones of each batch, and must see long clips too."""
    batches = [LENGTHS[batch] for epoch in range(10) for batch in BatchPlan(LENGTHS, 8, seed=3).epoch(epoch)]
    firsts = np.mean([np.argsort(np.argsort(lengths))[0] for lengths in batches])
    assert 2.5 < firsts < 4.5


def test_an_index_tells_its_epoch_and_its_row():
    plan = BatchPlan(LENGTHS, 8, seed=3)
    for number, batch in enumerate(first(plan, 14)):
        epoch, place = divmod(number, 6)
        assert [index - 50 * epoch for index in batch] == plan.epoch(epoch)[place].tolist()


def test_shares_of_all_processes_are_the_whole_batch():
    whole = first(BatchPlan(LENGTHS, 8, 3), 20, start=4)
    shares = [first(BatchPlan(LENGTHS, 8, 3, Share(rank, 2)), 20, start=4) for rank in range(2)]
    for batch, one, other in zip(whole, *shares, strict=True):
        assert len(one) == len(other) == 4
        assert sorted(one + other) == sorted(batch)


def test_like_lengths_come_together():
    lengths = np.random.default_rng(2).uniform(1, 5, 16 * 4 * 3).astype(np.float32)
    plan = BatchPlan(lengths, 4, seed=0)
    spread = np.mean([np.ptp(lengths[batch]) for batch in plan.epoch(0)])
    chance = np.mean([np.ptp(lengths[i : i + 4]) for i in range(0, len(lengths), 4)])
    assert spread < 0.15 * chance
    assert GROUPED_BATCHES == 16


def test_batches_come_in_no_order_of_length():
    lengths = np.linspace(1, 5, 64).astype(np.float32)
    means = [lengths[batch].mean() for batch in BatchPlan(lengths, 4, seed=0).epoch(0)]
    assert abs(np.corrcoef(means, np.arange(16))[0, 1]) < 0.6


def test_too_few_examples_are_refused():
    with pytest.raises(ValueError, match="7 examples don't fill a batch of 8"):
        BatchPlan(LENGTHS[:7], 8, 0)


def test_a_batch_that_can_not_be_shared_is_refused():
    with pytest.raises(ValueError, match="a batch of 8 can't be shared by 3 processes"):
        BatchPlan(LENGTHS, 8, 0, Share(0, 3))


def test_join_pads_tokens_with_1_and_sounds_with_0():
    batch = join(
        [
            Example(torch.tensor([5, 2]), waveform=torch.tensor([1.0, 2.0, 3.0]), target=torch.tensor(4)),
            Example(torch.tensor([7, 8, 2]), waveform=torch.tensor([4.0]), target=torch.tensor(0)),
        ]
    )
    assert batch.tokens.tolist() == [[5, 2, 1], [7, 8, 2]]
    assert batch.waveform.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch.num_samples.tolist() == [[3], [1]]
    assert batch.target.tolist() == [4, 0]
    assert batch.pixels is None


def test_join_stacks_pictures_and_boxes():
    pixels = torch.arange(2 * 3 * 16 * 16).reshape(2, 3, 16, 16).to(torch.uint8)
    batch = join([Example(torch.tensor([2]), pixels=p, target=torch.full((4,), 0.5)) for p in pixels])
    assert torch.equal(batch.pixels, pixels)
    assert batch.target.shape == (2, 4)
    assert batch.waveform is None
    assert batch.num_samples is None
