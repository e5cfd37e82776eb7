from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from export.one_peace.config import HeadConfig
from tests.training.tiny import MODEL, VOCABULARY_SIZE, picture_batch, sound_batch
from training.configuration import ModelSettings
from training.models.finetuning import GroundingModel, LabelModel
from training.models.initialization import initialize, model_config

CONFIG = model_config(ModelSettings(**MODEL), VOCABULARY_SIZE)


def grounding_model():
    config = replace(CONFIG, modalities=("text", "image"), head=HeadConfig(4, use_image_features=True))
    model = GroundingModel(config)
    initialize(model, 2, torch.Generator().manual_seed(0))
    return model


def label_model(smoothing=0.0):
    model = LabelModel(replace(CONFIG, modalities=("audio",), head=HeadConfig(5)), smoothing)
    initialize(model, 2, torch.Generator().manual_seed(0))
    return model


def learn(model, batch, steps=40):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator()
    first = model(batch, generator)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(loss for loss in model(batch, generator).values() if loss.requires_grad).backward()
        optimizer.step()
    return first, model(batch, generator)


def test_boxes_are_learned():
    boxes = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.6, 0.5, 0.9, 0.9], [0.2, 0.6, 0.5, 0.8], [0.5, 0.1, 0.8, 0.3]])
    first, last = learn(grounding_model(), replace(picture_batch(), target=boxes), steps=60)
    assert set(first) == {"l1", "giou", "iou_over_half"}
    assert last["l1"] < 0.3 * first["l1"]
    assert last["giou"] < 0.5 * first["giou"]
    assert last["iou_over_half"] > 0.7
    assert not last["iou_over_half"].requires_grad


def test_labels_are_learned():
    first, last = learn(label_model(), replace(sound_batch(), target=torch.tensor([0, 3, 1, 4])))
    assert set(first) == {"cross_entropy", "top_1"}
    assert last["cross_entropy"] < 0.1 * first["cross_entropy"]
    assert last["top_1"] == 1
    assert not last["top_1"].requires_grad


def test_several_labels_of_a_clip_are_learned():
    target = torch.tensor([[1.0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1]])
    model = LabelModel(replace(CONFIG, modalities=("audio",), head=HeadConfig(5)), multi_label=True)
    batch = replace(sound_batch(), target=target)
    first, last = learn(model, batch)
    assert set(first) == {"cross_entropy"}
    assert last["cross_entropy"] < 0.3 * first["cross_entropy"]
    logits = model.classifier({"audio": (batch.waveform, batch.num_samples)}).double()
    wanted = -(target * logits.sigmoid().log() + (1 - target) * (1 - logits.sigmoid()).log()).mean()
    assert last["cross_entropy"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_label_smoothing_spreads_the_answer():
    batch = replace(sound_batch(), target=torch.tensor([0, 3, 1, 4]))
    model = label_model(0.2)
    logs = model.classifier({"audio": (batch.waveform, batch.num_samples)}).log_softmax(1)
    wanted = -(0.8 * logs[range(4), batch.target] + 0.2 * logs.mean(1)).mean()
    assert torch.allclose(model(batch, torch.Generator())["cross_entropy"], wanted, atol=1e-6)


def test_a_batch_without_the_task_s_input_is_refused():
    with pytest.raises(ValueError, match="lacks an input"):
        grounding_model()(sound_batch(), torch.Generator())
