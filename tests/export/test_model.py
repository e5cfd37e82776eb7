"""The PyTorch model against the reference's own outputs and against the plain NumPy model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from export.one_peace.checkpoint import load_checkpoint
from export.one_peace.config import HeadConfig
from export.one_peace.random_checkpoint import (
    random_config,
    random_state,
    with_options,
    write_random_checkpoint,
)
from export.one_peace.released_config import released_config
from export.tracing import ContractModel
from service.repository import CONTRACTS
from tests.export.random_models import CLASSIFY_CONFIGS, batch_rows, random_rows
from tests.golden import GOLDEN, needs_golden
from tests.reference.one_peace_numpy import Reference

EMBEDDINGS = ("text", "image", "audio")
GOLDEN_FILES = {
    "grounding": "grounding",
    "audio_labels": "audio_classify",
    "vqa": "vqa",
    "audio_qa": "aqa",
    "image_pair": "nlvr2",
}
CONFIG = random_config()


def run(name, model, batch):
    inputs = [torch.from_numpy(np.ascontiguousarray(batch[tensor.name])) for tensor in CONTRACTS[name].inputs]
    with torch.inference_mode():
        return ContractModel(name, model)(*inputs).numpy()


def names_of(name):
    return [tensor.name for tensor in CONTRACTS[name].inputs]


def reference_output(name, reference, row):
    if name in EMBEDDINGS:
        return reference.embed(name, row[{"text": "tokens", "image": "pixels", "audio": "waveform"}[name]])
    inputs = {}
    if "tokens" in names_of(name):
        inputs["text"] = (row["tokens"],)
    if "pixels" in names_of(name):
        inputs["image"] = [row["pixels"], row["pixels_2"]] if name == "image_pair" else (row["pixels"],)
    if "waveform" in names_of(name):
        inputs["audio"] = (row["waveform"],)
    logits = reference.classify(inputs)
    return 1 / (1 + np.exp(-logits)) if name == "grounding" else logits


def check_against_reference(tmp_path, config, names):
    state = write_random_checkpoint(tmp_path / "random.pt", config, seed=3)
    checkpoint = load_checkpoint(tmp_path / "random.pt")
    reference = Reference(released_config(config), state)
    model = checkpoint.embedding_model() if config.head is None else checkpoint.classify_model()
    rows = random_rows(config.image.image_size)
    for name in names:
        found = run(name, model, batch_rows(rows, names_of(name)))
        expected = np.stack([reference_output(name, reference, row) for row in rows])
        assert np.abs(found - expected).max() <= 1e-5


@needs_golden
@pytest.mark.parametrize("modality", EMBEDDINGS)
def test_embeddings_are_the_references(modality):
    expected = np.load(GOLDEN / "retrieval.npz")
    model = load_checkpoint(GOLDEN / "retrieval.pt").embedding_model((modality,))
    assert np.abs(run(modality, model, expected) - expected[modality]).max() <= 2e-5


@needs_golden
@pytest.mark.parametrize(("name", "file"), GOLDEN_FILES.items())
def test_logits_are_the_references(name, file):
    expected = np.load(GOLDEN / f"{file}.npz")
    model = load_checkpoint(GOLDEN / f"{file}.pt").classify_model()
    output = expected["boxes" if name == "grounding" else "logits"]
    assert np.abs(run(name, model, expected) - output).max() <= 1e-4


@needs_golden
def test_buckets_are_the_references():
    from export.one_peace.positions import sequence_buckets

    stored = torch.load(GOLDEN / "retrieval.pt", weights_only=True)["model"]
    assert torch.equal(stored["encoder_wrapper.text_adapter.rp_bucket"], sequence_buckets(1024, 16))
    assert torch.equal(stored["encoder_wrapper.audio_adapter.rp_bucket"], sequence_buckets(1024, 24))


def test_embeddings_agree_with_the_plain_model(tmp_path):
    check_against_reference(tmp_path, CONFIG, EMBEDDINGS)


@pytest.mark.parametrize("name", CLASSIFY_CONFIGS)
def test_logits_agree_with_the_plain_model(tmp_path, name):
    check_against_reference(tmp_path, CLASSIFY_CONFIGS[name], [name])


@pytest.mark.parametrize(
    "options",
    [
        {"scale_heads": True, "norm_after_output": True},
        {"norm_before_output": False, "norm_in_ffn": False},
        {"layer_scale": False},
    ],
)
def test_encoder_options_agree_with_the_plain_model(tmp_path, options):
    check_against_reference(tmp_path, with_options(CONFIG, **options), ["text"])


@pytest.mark.parametrize("flag", ["layernorm_embedding", "add_type_embedding", "use_attn_bias"])
def test_adapter_options_agree_with_the_plain_model(tmp_path, flag):
    value = {flag: not getattr(CONFIG.text, flag)}
    adapters = {name: replace(getattr(CONFIG, name), **value) for name in EMBEDDINGS}
    check_against_reference(tmp_path, replace(CONFIG, **adapters), EMBEDDINGS)


def test_a_table_for_each_layer_and_the_mlp_stem_agree_with_the_plain_model(tmp_path):
    config = replace(CONFIG, table_per_layer=True, image=replace(CONFIG.image, stem="mlp"))
    check_against_reference(tmp_path, config, ["text", "image"])


def test_cls_pooling_agrees_with_the_plain_model(tmp_path):
    head = HeadConfig(5, attention_pooling=False, use_pooler=True, scale_ratio=3)
    check_against_reference(tmp_path, random_config(head_type="vl", head=head), ["vqa"])


def test_even_position_kernel_agrees_with_the_plain_model(tmp_path):
    config = replace(CONFIG, audio=replace(CONFIG.audio, position_width=40, conv_bias=False))
    check_against_reference(tmp_path, config, ["audio"])


def test_biased_waveform_convolutions_agree_with_the_plain_model(tmp_path):
    config = replace(CONFIG, audio=replace(CONFIG.audio, conv_bias=True))
    check_against_reference(tmp_path, config, ["audio"])


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_a_row_does_not_depend_on_its_batch(tmp_path, name):
    write_random_checkpoint(tmp_path / "random.pt", CONFIG)
    model = load_checkpoint(tmp_path / "random.pt").embedding_model((name,))
    rows = random_rows()
    together = run(name, model, batch_rows(rows, names_of(name)))
    alone = np.concatenate([run(name, model, batch_rows([row], names_of(name), extra=0)) for row in rows])
    assert np.abs(together - alone).max() <= 1e-5


def test_what_stands_in_the_padding_of_a_waveform_does_not_matter(tmp_path):
    write_random_checkpoint(tmp_path / "random.pt", CONFIG)
    model = load_checkpoint(tmp_path / "random.pt").embedding_model(("audio",))
    batch = batch_rows(random_rows(), names_of("audio"))
    noisy = batch | {"waveform": batch["waveform"].copy()}
    noisy["waveform"][0, 16_000:] = np.nan
    assert np.array_equal(run("audio", model, batch), run("audio", model, noisy))


def test_random_weights_are_the_same_for_the_same_seed():
    first, second = random_state(CONFIG, seed=5), random_state(CONFIG, seed=5)
    assert all(torch.equal(first[key], second[key]) for key in first)
