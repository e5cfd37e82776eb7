"""Reading checkpoints: what may be extra or missing, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from export.one_peace.checkpoint import CheckpointError, load_checkpoint
from export.one_peace.config import HeadConfig
from export.one_peace.random_checkpoint import random_config, random_state
from export.one_peace.released_config import released_config

CONFIG = random_config()
VL = random_config(head_type="vl", head=HeadConfig(3))
TABLE = "encoder_wrapper.text_adapter.rel_pos_table_list.{}.weight"


@pytest.fixture
def write(tmp_path):
    def write(config=CONFIG, change=None, **extra):
        content = {"args": None, "cfg": released_config(config), "model": random_state(config), **extra}
        if change is not None:
            change(content)
        torch.save(content, tmp_path / "checkpoint.pt")
        return tmp_path / "checkpoint.pt"

    return write


def test_every_size_comes_from_the_file(write):
    for config in (CONFIG, VL, replace(CONFIG, table_per_layer=True, max_text_tokens=33)):
        assert load_checkpoint(write(config)).config == config


def test_what_pretraining_leaves_is_ignored(write):
    def change(content):
        for key in (
            "decoder_wrapper.x.weight",
            "encoder_wrapper.text_mask_token",
            "encoder_wrapper.fusion_model.version",
        ):
            content["model"][key] = torch.zeros(1)
        content["model"]["encoder_wrapper.text_adapter.rp_bucket"] = torch.zeros(2, 2, dtype=torch.int64)
        content["model"]["encoder_wrapper.image_adapter.position_idx"] = torch.zeros(2, dtype=torch.int64)
        content["model"]["encoder_wrapper.audio_adapter.mask_embedding"] = torch.zeros(1, 64)
        del content["model"]["logit_scale"]

    checkpoint = load_checkpoint(write(change=change, optimizer_history=[]))
    assert checkpoint.logit_scale is None
    checkpoint.embedding_model()


def test_the_old_name_of_the_table_is_read(write):
    def change(content):
        content["model"]["encoder_wrapper.text_adapter.rel_pos_table.weight"] = content["model"].pop(TABLE.format(0))

    load_checkpoint(write(change=change)).embedding_model(("text",))


def test_table_0_serves_every_layer(write):
    def change(content):
        for number in (1, 2):
            del content["model"][TABLE.format(number)]

    model = load_checkpoint(write(VL, change)).classify_model()
    tables = model.adapters["text"].position_bias.tables
    assert len(tables) == 3
    assert torch.equal(tables[0], tables[2])


def test_one_of_several_tables_missing_is_an_error(write):
    with pytest.raises(CheckpointError, match=TABLE.format(1)):
        load_checkpoint(write(VL, lambda content: content["model"].pop(TABLE.format(1))))


def test_a_missing_key_is_named(write):
    with pytest.raises(CheckpointError, match=r"'image_proj\.weight' is missing"):
        load_checkpoint(write(change=lambda content: content["model"].pop("image_proj.weight")))


def test_an_unexpected_key_is_named(write):
    with pytest.raises(CheckpointError, match="'surprise' is unexpected"):
        load_checkpoint(write(change=lambda content: content["model"].update(surprise=torch.zeros(1))))


def test_a_mis_shaped_key_is_named(write):
    with pytest.raises(CheckpointError, match=r"'text_proj\.bias' has shape \[3\] instead of \[64\]"):
        load_checkpoint(write(change=lambda content: content["model"].update({"text_proj.bias": torch.zeros(3)})))


def test_what_is_no_tensor_is_named(write):
    with pytest.raises(CheckpointError, match="'surprise' holds a list"):
        load_checkpoint(write(change=lambda content: content["model"].update(surprise=[1, 2])))
    load_checkpoint(write(change=lambda content: content["model"].update({"decoder_wrapper.x": [1, 2]})))


def test_a_logit_scale_of_several_numbers_is_refused(write):
    with pytest.raises(CheckpointError, match=r"'logit_scale' has shape \[2\]"):
        load_checkpoint(write(change=lambda content: content["model"].update(logit_scale=torch.zeros(2))))
    checkpoint = load_checkpoint(write(change=lambda content: content["model"].update(logit_scale=torch.ones(1))))
    assert checkpoint.logit_scale == 1
    checkpoint.embedding_model()


def test_the_longest_clip_that_the_bias_reaches_is_said(write):
    with pytest.raises(CheckpointError, match=r"max_duration 30 s exceeds 20\.\d s"):
        load_checkpoint(write(replace(CONFIG, audio=replace(CONFIG.audio, max_duration_s=30))))
    load_checkpoint(write(replace(CONFIG, audio=replace(CONFIG.audio, max_duration_s=20))))


def test_pretraining_s_own_switches_are_ignored(write):
    def change(content):
        content["cfg"]["model"]["_name"] = "one_peace_pretrain"
        content["cfg"]["model"]["encoder"]["use_image_moe"] = False

    load_checkpoint(write(change=change))


def test_a_branch_that_the_head_does_not_use_is_unexpected(write):
    with pytest.raises(CheckpointError, match="unexpected"):
        load_checkpoint(write(change=lambda content: content["cfg"]["task"].update(head_type="vl")))


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("task", "head_type", "smell"),
        ("model", "_name", "gpt"),
        ("encoder", "normalize_before", False),
        ("encoder", "embed_dim", None),
        ("audio_adapter", "feature_encoder_spec", "__import__('os')"),
        ("audio_adapter", "abs_pos_type", "sin"),
        ("image_adapter", "vision_encoder_type", "swin"),
        ("image_adapter", "rel_bucket_size", 5),
        ("image_adapter", "bucket_size", "16"),
        ("task", "patch_image_size", 250),
        ("task", "max_src_length", 600),
        ("task", "max_duration", 30),
        ("task", "max_duration", "long"),
        ("encoder", "attention_heads", 0),
        ("encoder", "layers", 2.5),
        ("encoder", "activation_fn", "relu"),
        ("encoder", "use_audio_moe", False),
        ("encoder", "text_adapter", None),
        ("audio_adapter", "conv_pos_groups", 48),
        ("audio_adapter", "conv_pos_pre_ln", True),
        ("audio_adapter", "feature_encoder_spec", "[(16, 10, 0)]"),
        ("model", "encoder", [1]),
        ("cfg", "model", "one_peace"),
        ("cfg", "task", "retrieval"),
    ],
)
def test_settings_that_can_not_be_used_are_refused_by_name(write, part, key, value):
    def change(content):
        cfg = content["cfg"]
        encoder = cfg["model"]["encoder"]
        {**cfg, **encoder, "encoder": encoder, "cfg": cfg}[part][key] = value

    name = {"_name": "model kind"}.get(key, key)
    with pytest.raises(CheckpointError, match=f"'cfg' can't be used: .*{name}"):
        load_checkpoint(write(change=change))


@pytest.mark.parametrize(("key", "value"), [("mean_pooling", True), ("classify_with_gelu", False)])
def test_a_head_that_is_not_computed_here_is_refused_by_name(write, key, value):
    with pytest.raises(CheckpointError, match=f"'cfg' can't be used: {key}"):
        load_checkpoint(write(VL, lambda content: content["cfg"]["model"].update({key: value})))


def test_the_wrong_kind_of_model_is_refused(write):
    with pytest.raises(CheckpointError, match="not a classify model"):
        load_checkpoint(write()).classify_model()
    with pytest.raises(CheckpointError, match="not an embedding model"):
        load_checkpoint(write(VL)).embedding_model()


def test_a_branch_that_is_not_there_is_named(write):
    with pytest.raises(CheckpointError, match="no audio branch"):
        load_checkpoint(write(random_config(head_type="vl"))).embedding_model(("audio",))


def test_files_that_are_no_checkpoint_are_refused(write, tmp_path):
    whole = write().read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("not a checkpoint")
    torch.save([1, 2], tmp_path / "list.pt")
    for name in ("cut.pt", "text.pt", "list.pt", "absent.pt", "."):
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(tmp_path / name)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"cfg": {}, "model": {}, "args": Trap(tmp_path / "sprung")}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="Python objects"):
        load_checkpoint(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (type(self.path).touch, (self.path,))
