from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.training.tiny import MODEL, VOCABULARY_SIZE, settings
from training.configuration import OptimizerSettings
from training.models.start import build_model
from training.optimization import AveragedWeights, build_optimizer, depth_of, learning_rate, set_learning_rate

THREE_LAYERS = {**MODEL, "layers": 3}


def options(**changes) -> OptimizerSettings:
    return OptimizerSettings.model_validate({"learning_rate": 0.1, **changes})


def groups_by_name(model, optimizer):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group for group in optimizer.param_groups for p in group["params"]}


@pytest.fixture(scope="module")
def model():
    return build_model(settings(model=THREE_LAYERS), VOCABULARY_SIZE, 0)


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("embedder.adapters.text.token_embedding", 0),
        ("embedder.adapters.image.position_bias.tables.0", 0),
        ("embedder.encoder.layers.0.attention.query.weight", 1),
        ("embedder.encoder.layers.1.ffns.text.gate.weight", 2),
        ("module.embedder.encoder.layers.2.attention_gain", 3),
        ("embedder.encoder.layers.2._checkpoint_wrapped_module.ffn_gain", 3),
        ("embedder.encoder.final_norms.text.weight", 4),
        ("embedder.projections.image.weight", 4),
        ("embedder.logit_scale", 4),
        ("classifier.head.hidden.weight", 4),
        ("denoiser.encoder.layers.0.attention.query.weight", 4),
        ("denoiser.mask_token.text", 4),
    ],
)
def test_depth_of_a_three_layer_model(name, depth):
    assert depth_of(name, 3) == depth


def test_lower_layers_have_lower_rates(model):
    optimizer = build_optimizer(model, options(layer_decay=0.5), 3)
    set_learning_rate(optimizer, 0.08)
    rates = {name: group["lr"] for name, group in groups_by_name(model, optimizer).items()}
    assert rates["embedder.adapters.text.token_embedding"] == pytest.approx(0.005)
    assert rates["embedder.encoder.layers.0.attention.query.weight"] == pytest.approx(0.01)
    assert rates["embedder.encoder.layers.1.ffns.image.down.bias"] == pytest.approx(0.02)
    assert rates["embedder.encoder.layers.2.attention_gain"] == pytest.approx(0.04)
    assert rates["embedder.projections.text.weight"] == pytest.approx(0.08)
    assert rates["denoiser.encoder.layers.0.attention.query.weight"] == pytest.approx(0.08)


def test_vectors_and_tables_take_no_weight_decay(model):
    optimizer = build_optimizer(model, options(weight_decay=0.3), 3)
    groups = groups_by_name(model, optimizer)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed = parameter.dim() > 1 and ".tables." not in name
            assert groups[name]["weight_decay"] == (0.3 if decayed else 0.0), name
    assert groups["embedder.encoder.layers.0.attention_gain"]["weight_decay"] == 0
    assert groups["embedder.adapters.text.position_bias.tables.0"]["weight_decay"] == 0
    assert groups["embedder.projections.text.weight"]["weight_decay"] == 0.3


def test_frozen_weights_are_left_out(model):
    groups = groups_by_name(model, build_optimizer(model, options(), 3))
    assert set(groups) == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert not any(name.startswith("embedder.adapters.audio") for name in groups)


def test_one_step_by_hand():
    """AdamW's first step is the rate times the gradient's sign, after decay."""
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0]]))
        layer.bias.fill_(3.0)
    optimizer = build_optimizer(layer, options(weight_decay=0.5), 1)
    set_learning_rate(optimizer, 0.1)
    layer.weight.grad, layer.bias.grad = torch.tensor([[4.0, -0.5]]), torch.tensor([2.0])
    optimizer.step()
    assert torch.allclose(layer.weight, torch.tensor([[1.0 * 0.95 - 0.1, -2.0 * 0.95 + 0.1]]))
    assert torch.allclose(layer.bias, torch.tensor([2.9]))


def test_corners_of_the_schedule():
    schedule = options(learning_rate=1.0, warmup_steps=4, final_ratio=0.1)

    def rate(step):
        return learning_rate(step, 24, schedule)

    assert [rate(step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert rate(4) == pytest.approx(1.0)
    assert rate(14) == pytest.approx(0.55)  # half-way: the mean of 1 and 0.1
    assert rate(9) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert rate(24) == pytest.approx(0.1)
    assert rate(99) == pytest.approx(0.1)
    assert all(rate(step) > rate(step + 1) for step in range(4, 24))


def test_a_schedule_without_warm_up_begins_at_the_top():
    assert learning_rate(0, 10, options(learning_rate=0.3)) == pytest.approx(0.3)
    assert learning_rate(1, 2, options(learning_rate=1.0, warmup_steps=5, final_ratio=0)) == pytest.approx(0.4)


def test_an_average_over_three_updates_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    values = [8.0, 4.0, 0.0, 16.0]
    layer.weight.data.fill_(values[0])
    average = AveragedWeights(dict(layer.named_parameters()), 0.75)
    for value in values[1:]:
        layer.weight.data.fill_(value)
        average.update(dict(layer.named_parameters()))
    wanted = ((8 * 0.75 + 4 * 0.25) * 0.75 + 0 * 0.25) * 0.75 + 16 * 0.25
    assert average.state["weight"].item() == pytest.approx(wanted)
    assert layer.weight.item() == 16


def test_weights_are_not_averaged_unless_asked():
    assert options().ema is None
