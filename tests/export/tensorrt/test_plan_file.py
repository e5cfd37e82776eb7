"""File names of plans."""

from __future__ import annotations

import dataclasses

import pytest

from export.tensorrt.plan_file import PlanKey, find_plans, plan_digest, version_order
from service.repository import read_repository
from tests.repository import REPOSITORY

DIGEST = "0123456789ab"


@pytest.mark.parametrize("capability", ["7.5", "8.9", "9.0", "10.0", "12.1"])
@pytest.mark.parametrize("version", ["10.3.0", "11.4.0.106"])
def test_a_name_says_architecture_version_and_model(capability, version):
    key = PlanKey(version, capability, DIGEST)
    assert key.file_name == f"sm{capability.replace('.', '')}-trt{version}-{DIGEST}.plan"
    assert PlanKey.parse(key.file_name) == key


@pytest.mark.parametrize("name", ["model.plan", "model.onnx", f"sm9-trt10-{DIGEST}.plan", "sm90-trt10-xyz.plan"])
def test_other_names_are_no_plans(name):
    assert PlanKey.parse(name) is None


def test_plans_of_a_folder_are_found(tmp_path):
    keys = [PlanKey("10.3.0", "8.9", DIGEST), PlanKey("10.3.0", "9.0", DIGEST)]
    for name in (*(key.file_name for key in keys), "model.plan", "model.onnx"):
        (tmp_path / name).write_bytes(b"")
    assert find_plans(tmp_path) == keys


def test_the_newest_version_is_the_one_of_the_largest_numbers():
    assert max(["10.3.0", "10.16.1.11", "9.9.9"], key=version_order) == "10.16.1.11"


def test_a_digest_changes_with_the_model_its_precision_and_its_buckets():
    models = read_repository(REPOSITORY)
    text = models["text"]
    half = dataclasses.replace(text, card=text.card.model_copy(update={"precision": "fp16"}))
    config = type(text.config)()
    config.CopyFrom(text.config)
    config.parameters["length_buckets"].string_value = "71"
    other_buckets = dataclasses.replace(text, config=config)
    digests = [plan_digest(model) for model in (*models.values(), half, other_buckets)]
    assert len(set(digests)) == len(digests)
    assert plan_digest(text) == plan_digest(read_repository(REPOSITORY)["text"])
