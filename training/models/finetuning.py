"""Fine-tuning: grounding boxes and classes of sounds. Retrieval is pretraining without denoising."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.one_peace.config import Modality, ModelConfig
from export.one_peace.model import ClassifyModel
from training.data.batches import Batch
from training.models.objectives import box_iou, box_losses
from training.models.pretraining import Losses


class GroundingModel(nn.Module):
    """Finds the box that a phrase names; trained by L1 and generalised IoU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.classifier = ClassifyModel(config)

    def forward(self, batch: Batch, generator: torch.Generator, number: int = 0) -> Losses:  # noqa: ARG002
        """Losses `l1` and `giou`, and the metric `iou_over_half`, float32 [] each."""
        boxes = self.classifier({"text": (batch.tokens,), "image": (_present(batch.pixels),)}).sigmoid()
        true = _present(batch.target)
        with torch.no_grad():
            hits = box_iou(boxes, true) > 0.5
        return {**box_losses(boxes, true), "iou_over_half": hits.float().mean()}


class LabelModel(nn.Module):
    """Classes of a sound and cross-entropy: one right class each with softmax, or, `multi_label`, any with sigmoid."""

    def __init__(self, config: ModelConfig, label_smoothing: float = 0.0, multi_label: bool = False) -> None:
        super().__init__()
        self.classifier = ClassifyModel(config)
        self.label_smoothing, self.multi_label = label_smoothing, multi_label

    def forward(self, batch: Batch, generator: torch.Generator, number: int = 0) -> Losses:  # noqa: ARG002
        """Loss `cross_entropy`, and the metric `top_1` where one class is right, float32 [] each.

        `batch.target` is int64 [B], or float32 [B, C] of zeros and ones.
        """
        inputs: dict[Modality, tuple[Tensor, ...]] = {"audio": (_present(batch.waveform), _present(batch.num_samples))}
        logits, classes = self.classifier(inputs), _present(batch.target)
        if self.multi_label:
            return {"cross_entropy": F.binary_cross_entropy_with_logits(logits, classes)}
        loss = F.cross_entropy(logits, classes, label_smoothing=self.label_smoothing)
        return {"cross_entropy": loss, "top_1": (logits.argmax(1) == classes).float().mean().detach()}


def _present(part: Tensor | None) -> Tensor:
    if part is None:
        raise ValueError("the batch lacks an input of this task")
    return part
