from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from export.one_peace.checkpoint import load_checkpoint
from export.one_peace.config import HeadConfig
from export.one_peace.random_checkpoint import random_config, write_random_checkpoint
from tests.golden import GOLDEN, needs_golden
from tests.training.tiny import MODEL, VOCABULARY_SIZE, picture_batch, settings, sound_batch
from training.configuration import RunError
from training.models.start import build_model, checkpoint_weights, resize_image_table, write_trained

IDS = 600  # of the random checkpoints
CONFIG = random_config(vocabulary_size=IDS)
GROUNDING = random_config(head_type="vl", head=HeadConfig(4, use_image_features=True))


@pytest.fixture
def checkpoint(tmp_path):
    def checkpoint(config=CONFIG, seed=0):
        write_random_checkpoint(tmp_path / "start.pt", config, seed, torch.float32)
        return tmp_path / "start.pt"

    return checkpoint


def start(path, task="vision_language", num_labels=0, ids=IDS, **changes):
    if task == "audio_labels":
        changes["data"] = {"labels": "labels.txt"}
    return build_model(settings(task=task, start=str(path), model=None, **changes), ids, num_labels)


def weights(model):
    return dict(model.named_parameters())


def inputs_of(modality):
    pictures, sounds = picture_batch(size=64, vocabulary_size=IDS), sound_batch(vocabulary_size=IDS)
    return {"text": (pictures.tokens,), "image": (pictures.pixels,), "audio": (sounds.waveform, sounds.num_samples)}[
        modality
    ]


def test_a_new_model_follows_from_its_seed():
    models = [build_model(settings(seed=seed), VOCABULARY_SIZE, 0) for seed in (1, 1, 2)]
    first, again, other = (weights(model) for model in models)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embedder.projections.text.weight"], other["embedder.projections.text.weight"])


def test_a_filterbank_is_what_the_settings_ask_for():
    name = "embedder.adapters.audio.features.convs.0.weight"
    plain = weights(build_model(settings(), VOCABULARY_SIZE, 0))
    bank = weights(build_model(settings(model={**MODEL, "filterbank": True}), VOCABULARY_SIZE, 0))
    assert all(torch.equal(plain[other], bank[other]) for other in plain if other != name)
    filters = bank[name][:, 0].detach()  # four phases of four frequencies
    assert torch.allclose(filters.norm(dim=1), torch.ones(16), atol=1e-5)
    peaks = torch.fft.rfft(filters, 4096).abs().argmax(1) * 16_000 / 4096
    mel = 2595 * np.log10(1 + np.array([60.0, 7600.0]) / 700)
    wanted = 700 * (10 ** (np.linspace(*mel, 4) / 2595) - 1)
    assert np.allclose(peaks.reshape(4, 4)[:, 1:], wanted[1:], rtol=0.01)


def test_gains_start_where_the_settings_say():
    model = build_model(settings(model={**MODEL, "gain": 1e-6}), VOCABULARY_SIZE, 0)
    gains = {name: weight for name, weight in weights(model).items() if name.endswith("_gain")}
    assert len([name for name in gains if name.startswith("embedder")]) == 2 * MODEL["layers"]
    assert all(torch.equal(gain, torch.full_like(gain, 1e-6)) for name, gain in gains.items() if "embedder" in name)


def test_sounds_join_a_frozen_space_or_move_all_of_it(checkpoint):
    def trainable(**changes):
        model = start(checkpoint(), "audio_language", **changes)
        return {name for name, weight in model.embedder.named_parameters() if weight.requires_grad}

    frozen, free = trainable(), trainable(unfreeze=True)
    assert all("audio" in name or name == "logit_scale" for name in frozen)
    assert {"encoder.layers.0.attention.query.weight", "projections.text.weight"} <= free - frozen


def test_a_checkpoint_without_a_scale_starts_with_the_usual_one(checkpoint, tmp_path):
    content = torch.load(checkpoint(), weights_only=True)
    del content["model"]["logit_scale"]
    torch.save(content, tmp_path / "bare.pt")
    assert start(tmp_path / "bare.pt", "vision_language").embedder.logit_scale.item() == pytest.approx(np.log(1 / 0.07))


@pytest.mark.parametrize("task", ["vision_language", "audio_language"])
def test_a_run_from_a_checkpoint_begins_with_its_vectors(checkpoint, task):
    path = checkpoint()
    model, source = start(path, task), load_checkpoint(path).embedding_model()
    with torch.no_grad():
        for modality in ("text", "image", "audio"):
            inputs = inputs_of(modality)
            assert torch.equal(model.embedder(modality, *inputs), source(modality, *inputs))
    assert model.embedder.logit_scale == load_checkpoint(path).logit_scale


def test_what_is_written_is_read_with_the_same_vectors(checkpoint, tmp_path):
    model = start(checkpoint())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.01)
    write_trained(tmp_path / "model.pt", model, weights(model))
    read = load_checkpoint(tmp_path / "model.pt")
    assert read.config == CONFIG
    assert read.logit_scale == pytest.approx(model.embedder.logit_scale.item())
    with torch.no_grad():
        for modality in ("text", "image", "audio"):
            inputs = inputs_of(modality)
            assert torch.equal(read.embedding_model()(modality, *inputs), model.embedder(modality, *inputs))


def test_a_new_model_is_written_and_read(tmp_path):
    model, batch = build_model(settings(), VOCABULARY_SIZE, 0), picture_batch()
    write_trained(tmp_path / "model.pt", model, weights(model))
    read = load_checkpoint(tmp_path / "model.pt").embedding_model()
    with torch.no_grad():
        assert torch.equal(read("image", batch.pixels), model.embedder("image", batch.pixels))


@pytest.mark.parametrize(
    ("task", "num_labels", "modalities"), [("grounding", 0, ("text", "image")), ("audio_labels", 7, ("audio",))]
)
def test_a_fine_tuned_model_is_written_and_read(checkpoint, tmp_path, task, num_labels, modalities):
    model = start(checkpoint(), task, num_labels)
    write_trained(tmp_path / "model.pt", model, weights(model))
    read = load_checkpoint(tmp_path / "model.pt")
    assert read.config.modalities == modalities
    assert read.config.head.num_classes == (4 if task == "grounding" else num_labels)
    assert read.config.head.use_image_features == (task == "grounding")
    inputs = {modality: inputs_of(modality) for modality in modalities}
    with torch.no_grad():
        assert torch.equal(read.classify_model()(inputs), model.classifier(inputs))


def test_fine_tuning_begins_with_the_encoder_of_pretraining(checkpoint):
    path = checkpoint()
    source = checkpoint_weights(load_checkpoint(path))
    model = weights(start(path, "grounding").classifier)
    shared = {name for name in source if name in model}
    assert all(torch.equal(source[name], model[name]) for name in shared)
    new = {name for name in model if name not in source}
    assert all(".tables." in name or "type_embedding" in name or name.startswith("head.") for name in new)


def test_table_0_serves_every_layer(checkpoint):
    path = checkpoint()
    source = checkpoint_weights(load_checkpoint(path))
    for task, modality in (("grounding", "text"), ("grounding", "image"), ("audio_labels", "audio")):
        tables = start(path, task, 3).classifier.adapters[modality].position_bias.tables
        assert len(tables) == CONFIG.encoder.layers
        assert all(torch.equal(table, source[f"adapters.{modality}.position_bias.tables.0"]) for table in tables)


def test_each_layer_keeps_its_own_table(checkpoint):
    path = checkpoint(replace(CONFIG, table_per_layer=True))
    source = checkpoint_weights(load_checkpoint(path))
    tables = start(path, "grounding").classifier.adapters["image"].position_bias.tables
    for number, table in enumerate(tables):
        assert torch.equal(table, source[f"adapters.image.position_bias.tables.{number}"])
    assert not torch.equal(tables[0], tables[1])


def test_fine_tuning_goes_on_from_a_fine_tuned_checkpoint(checkpoint):
    path = checkpoint(GROUNDING)
    source, model = load_checkpoint(path).classify_model(), start(path, "grounding").classifier
    inputs = {"text": inputs_of("text"), "image": inputs_of("image")}
    with torch.no_grad():
        assert torch.equal(source(inputs), model(inputs))


def test_a_larger_image_takes_a_resized_table(checkpoint):
    path = checkpoint()
    model = start(path, "grounding", image_size=96)
    assert model.classifier.config.image.image_size == 96
    source = checkpoint_weights(load_checkpoint(path))
    table = model.classifier.adapters["image"].position_bias.tables[2]
    assert table.shape == ((2 * 6 - 1) ** 2 + 3, CONFIG.encoder.heads)
    assert torch.equal(table, resize_image_table(source["adapters.image.position_bias.tables.0"], len(table)))
    boxes = model.classifier({"text": inputs_of("text"), "image": (picture_batch(size=96).pixels,)})
    assert boxes.shape == (4, 4)


def random_table(grid, heads=3):
    return torch.randn((2 * grid - 1) ** 2 + 3, heads, generator=torch.Generator().manual_seed(grid))


def cells(table):
    side = round((len(table) - 3) ** 0.5)
    return table[:-3].reshape(side, side, -1)


def test_a_table_of_the_same_size_stays():
    assert torch.allclose(resize_image_table(random_table(4), len(random_table(4))), random_table(4), atol=1e-6)


def test_a_resized_table_keeps_the_rows_of_cls_the_corners_and_the_middle():
    table = random_table(4)
    resized = resize_image_table(table, (2 * 6 - 1) ** 2 + 3)
    assert torch.equal(resized[-3:], table[-3:])
    before, after = cells(table), cells(resized)
    for old, new in (((0, 0), (0, 0)), ((6, 6), (10, 10)), ((0, 6), (0, 10)), ((3, 3), (5, 5))):
        assert torch.allclose(before[old], after[new], atol=1e-5)  # the farthest offsets, and no offset


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_mirrored_table_is_resized_to_the_mirror_image(axes):
    table = random_table(4)
    mirrored = torch.cat([cells(table).flip(axes).flatten(0, 1), table[-3:]])
    rows = (2 * 9 - 1) ** 2 + 3
    wanted = cells(resize_image_table(table, rows)).flip(axes)
    assert torch.allclose(cells(resize_image_table(mirrored, rows)), wanted, atol=1e-5)


def test_another_vocabulary_is_refused_with_both_sizes(checkpoint):
    with pytest.raises(RunError, match=r"start\.pt: has 600 token ids, the vocabulary in data\.bpe_dir 304"):
        start(checkpoint(), ids=304)


def test_a_weight_of_another_shape_is_refused_with_both_shapes(checkpoint):
    """A head for another number of classes, say."""
    path = checkpoint(random_config(head_type="audio", head=HeadConfig(11)))
    with pytest.raises(RunError, match=r"'head\.output\.\w+' has shape \[11.*\] in the checkpoint, \[7.*\] here"):
        start(path, "audio_labels", 7)


@pytest.mark.parametrize(
    ("task", "config"),
    [
        ("audio_language", random_config(head_type="vl")),
        ("audio_labels", random_config(head_type="vl")),
        ("grounding", random_config(head_type="al")),
        ("vision_language", random_config(head_type="al")),
    ],
)
def test_a_checkpoint_without_the_task_s_branch_is_refused(checkpoint, task, config):
    missing = "image" if task in ("grounding", "vision_language") else "audio"
    with pytest.raises(RunError, match=rf"start\.pt: has no {missing} branch"):
        start(checkpoint(config), task, 7)


def test_a_checkpoint_without_sounds_can_go_on_with_pictures(checkpoint):
    start(checkpoint(random_config(head_type="vl")))


def test_a_fine_tuned_checkpoint_is_no_start_for_pretraining(checkpoint):
    with pytest.raises(RunError, match=r"start\.pt: holds a classify model"):
        start(checkpoint(GROUNDING))


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "text.pt").write_text("nothing")
    for name in ("text.pt", "absent.pt"):
        with pytest.raises(RunError, match=name):
            start(tmp_path / name)


@needs_golden
def test_a_run_from_the_reference_s_checkpoint_begins_with_the_reference_s_vectors():
    golden = {name: torch.from_numpy(array) for name, array in np.load(GOLDEN / "retrieval.npz").items()}
    embedder = start(GOLDEN / "retrieval.pt", ids=50264).embedder
    with torch.no_grad():
        found = {
            "text": embedder("text", golden["tokens"]),
            "image": embedder("image", golden["pixels"]),
            "audio": embedder("audio", golden["waveform"], golden["num_samples"]),
        }
    for modality, vectors in found.items():
        assert (vectors - golden[modality]).abs().max() < 1e-5, modality
        assert F.cosine_similarity(vectors, golden[modality]).min() > 0.99999
