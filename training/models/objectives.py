"""Losses. All are means over the examples or units of one batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.distributed import gather_rows, rank


def contrastive_loss(queries: Tensor, candidates: Tensor, logit_scale: Tensor) -> Tensor:
    """InfoNCE in both directions over the whole batch, all processes' rows together.

    Row i of `queries` and row i of `candidates` are a pair, every other row is a negative. ONE-PEACE,
    arXiv:2305.11172, section 3.2.

    Args:
        queries: unit vectors, float32 [B, D].
        candidates: unit vectors, float32 [B, D].
        logit_scale: factor on the cosines, float32 [].
    """
    all_queries, all_candidates = gather_rows(queries), gather_rows(candidates)
    targets = torch.arange(len(queries), device=queries.device) + rank() * len(queries)
    with torch.autocast(queries.device.type, enabled=False):  # half precision would round logits of 20 by 0.06
        forward = F.cross_entropy(logit_scale * queries @ all_candidates.T, targets)
        backward = F.cross_entropy(logit_scale * candidates @ all_queries.T, targets)
    return (forward + backward) / 2


def denoising_loss(recovered: Tensor, units: Tensor, hidden: Tensor, padding: Tensor, scale: float) -> Tensor:
    """Contrast of each hidden unit, recovered from its neighbours, against all units of the batch.

    The right answer is the same place of the unmasked sequence, whose features take no gradient. ONE-PEACE,
    arXiv:2305.11172, section 3.3.

    Args:
        recovered: the decoder's output, float [B, T, D].
        units: features of the unmasked sequence, float [B, T, D]; place 0 is cls and takes no part.
        hidden: bool [B, T].
        padding: bool [B, T].
        scale: factor on the cosines; the paper's is 2.5.
    """
    real = ~padding[:, 1:].flatten()
    targets = F.normalize(units[:, 1:].detach().flatten(0, 1)[real].float(), dim=1)  # [U, D]
    asked = hidden[:, 1:].flatten()[real].nonzero().squeeze(1)  # [M], places among the U units
    answers = F.normalize(recovered[:, 1:].flatten(0, 1)[real][asked].float(), dim=1)  # [M, D]
    if not len(asked):
        return recovered.sum() * 0
    with torch.autocast(answers.device.type, enabled=False):
        return F.cross_entropy(scale * answers @ targets.T, asked)


def box_losses(predicted: Tensor, true: Tensor) -> dict[str, Tensor]:
    """L1 distance and 1 − generalised IoU (arXiv:1902.09630) of boxes x0, y0, x1, y1, float32 [B, 4].

    A predicted box may be turned inside out; its sides then count as 0.
    """
    return {"l1": F.l1_loss(predicted, true), "giou": (1 - generalized_iou(predicted, true)).mean()}


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU of boxes row by row: float32 [B] in (-1, 1]."""
    intersection, union = _overlap(first, second)
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).clamp(min=0)
    hull_area = hull.prod(dim=1).clamp(min=1e-9)
    return intersection / union - (hull_area - union) / hull_area


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of boxes row by row: float32 [B] in [0, 1]."""
    intersection, union = _overlap(first, second)
    return intersection / union


def _overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of intersection and union, [B] each; the union is kept above 0."""
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    intersection = sides.prod(dim=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (first, second)]
    return intersection, (areas[0] + areas[1] - intersection).clamp(min=1e-9)
