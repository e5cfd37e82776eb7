from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from training.models.objectives import box_iou, box_losses, contrastive_loss, denoising_loss, generalized_iou

GENERATOR = torch.Generator()


def unit_rows(rows: int, seed: int, dim: int = 6) -> torch.Tensor:
    return F.normalize(torch.randn(rows, dim, generator=GENERATOR.manual_seed(seed)), dim=1)


def test_contrast_is_info_nce_in_both_directions():
    texts, images, scale = unit_rows(5, 1), unit_rows(5, 2), 14.3
    a, b = texts.double().numpy(), images.double().numpy()
    total = 0.0
    for i in range(5):
        for own, others in ((a[i], b), (b[i], a)):
            exponentials = [math.exp(scale * float(np.dot(own, other))) for other in others]
            total -= math.log(exponentials[i] / sum(exponentials))
    assert contrastive_loss(texts, images, torch.tensor(scale)).item() == pytest.approx(total / 10, rel=1e-5)


def test_mixed_precision_does_not_round_the_logits():
    texts, images, scale = unit_rows(64, 1), unit_rows(64, 2), torch.tensor(100.0)
    recovered, units = (torch.randn(3, 9, 6, generator=GENERATOR.manual_seed(seed)) for seed in (3, 4))
    hidden, padding = torch.ones(3, 9, dtype=torch.bool), torch.zeros(3, 9, dtype=torch.bool)
    exact = contrastive_loss(texts, images, scale), denoising_loss(recovered, units, hidden, padding, 100.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = contrastive_loss(texts, images, scale), denoising_loss(recovered, units, hidden, padding, 100.0)
    for one, other in zip(exact, mixed, strict=True):
        assert other.dtype == torch.float32
        assert other.item() == pytest.approx(one.item(), rel=1e-6)


def test_contrast_of_pairs_that_agree_is_small_and_of_others_large():
    rows = torch.eye(4)
    assert contrastive_loss(rows, rows, torch.tensor(20.0)) < 1e-6
    assert contrastive_loss(rows, rows.roll(1, 0), torch.tensor(20.0)) > 19
    assert contrastive_loss(rows, rows.roll(1, 0), torch.tensor(0.0)).item() == pytest.approx(math.log(4))


def denoising_case():
    rows, places, dim = 3, 7, 5
    recovered = torch.randn(rows, places, dim, generator=GENERATOR.manual_seed(3))
    units = torch.randn(rows, places, dim, generator=GENERATOR.manual_seed(4))
    padding = torch.arange(places) > torch.tensor([6, 3, 5])[:, None]
    hidden = torch.zeros(rows, places, dtype=torch.bool)
    for row, place in ((0, 1), (0, 6), (1, 3), (2, 2), (2, 5)):
        hidden[row, place] = True
    return recovered, units, hidden, padding


def slow_denoising_loss(recovered, units, hidden, padding, scale):
    """For each hidden unit: −log softmax of its own place among all real units of the batch."""

    def cosine(x, y):
        return float(np.dot(x, y) / np.linalg.norm(x) / np.linalg.norm(y))

    answers, targets = recovered.double().numpy(), units.double().numpy()
    rows, places = padding.shape
    real = [(row, place) for row in range(rows) for place in range(1, places) if not padding[row, place]]
    losses = []
    for own in real:
        if hidden[own]:
            scores = {other: math.exp(scale * cosine(answers[own], targets[other])) for other in real}
            losses.append(-math.log(scores[own] / sum(scores.values())))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("scale", [2.5, 1.0])
def test_denoising_picks_each_hidden_unit_among_all_units_of_the_batch(scale):
    case = denoising_case()
    assert denoising_loss(*case, scale).item() == pytest.approx(slow_denoising_loss(*case, scale), rel=1e-5)


def test_units_take_no_gradient():
    recovered, units, hidden, padding = denoising_case()
    recovered.requires_grad_()
    units.requires_grad_()
    denoising_loss(recovered, units, hidden, padding, 2.5).backward()
    assert units.grad is None
    moved = recovered.grad.abs().sum(2) > 0
    assert torch.equal(moved, hidden)


def test_nothing_hidden_costs_nothing():
    recovered, units, hidden, padding = denoising_case()
    recovered.requires_grad_()
    loss = denoising_loss(recovered, units, torch.zeros_like(hidden), padding, 2.5)
    loss.backward()
    assert loss == 0
    assert not recovered.grad.any()


# first, second, IoU, generalised IoU = IoU − (hull − union) / hull
BOXES = {
    "identical": ((0.2, 0.2, 0.6, 0.8), (0.2, 0.2, 0.6, 0.8), 1.0, 1.0),
    "nested": ((0.0, 0.0, 1.0, 1.0), (0.25, 0.25, 0.75, 0.75), 0.25, 0.25),
    "overlapping": ((0.0, 0.0, 0.4, 0.4), (0.2, 0.2, 0.6, 0.6), 0.04 / 0.28, 0.04 / 0.28 - 0.08 / 0.36),
    "touching": ((0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), 0.0, 0.0),
    "touching at a corner": ((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0), 0.0, -0.5),
    "disjoint": ((0.0, 0.0, 0.1, 0.1), (0.9, 0.9, 1.0, 1.0), 0.0, -0.98),
    # sides below 0 count as 0: nothing in common, nothing of its own; the hull spans the corners as they stand
    "inside out": ((0.8, 0.8, 0.6, 0.6), (0.2, 0.2, 0.4, 0.4), 0.0, -(0.16 - 0.04) / 0.16),
}


@pytest.mark.parametrize("name", BOXES)
def test_overlap_of_boxes(name):
    first, second, iou, giou = BOXES[name]
    pair = torch.tensor([first]), torch.tensor([second])
    assert box_iou(*pair).item() == pytest.approx(iou, abs=1e-6)
    assert generalized_iou(*pair).item() == pytest.approx(giou, abs=1e-6)


def test_losses_of_boxes_are_means():
    first = torch.tensor([case[0] for case in BOXES.values()])
    second = torch.tensor([case[1] for case in BOXES.values()])
    losses = box_losses(first, second)
    distances = [abs(a - b) for one, other, *_ in BOXES.values() for a, b in zip(one, other, strict=True)]
    assert losses["l1"].item() == pytest.approx(np.mean(distances), abs=1e-6)
    assert losses["giou"].item() == pytest.approx(np.mean([1 - case[3] for case in BOXES.values()]), abs=1e-6)


def test_a_box_turned_inside_out_still_learns():
    box = torch.tensor([[0.8, 0.8, 0.6, 0.6]], requires_grad=True)
    true = torch.tensor([[0.2, 0.2, 0.4, 0.4]])
    sum(box_losses(box, true).values()).backward()
    assert box.grad.isfinite().all()
    assert box.grad[0, :2].min() > 0  # towards the true corner


def test_a_box_without_area_gives_finite_losses():
    box = torch.full((1, 4), 0.5, requires_grad=True)
    losses = box_losses(box, torch.tensor([[0.5, 0.5, 0.5, 0.5]]))
    sum(losses.values()).backward()
    assert box.grad.isfinite().all()
