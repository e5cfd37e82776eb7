"""What is compared between a Triton's model and ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tritonclient.grpc import model_config_pb2, service_pb2

from service.engine.triton.verification import differences
from service.repository import ModelFolder, read_repository
from tests.repository import REPOSITORY
from tests.service.engine.triton.fake_triton import FakeTriton


@pytest.fixture(scope="module")
def models() -> dict[str, ModelFolder]:
    return read_repository(REPOSITORY)


def served(models: dict[str, ModelFolder], name: str) -> tuple[Any, Any]:
    fake = FakeTriton(models)
    metadata = asyncio.run(fake.ModelMetadata(service_pb2.ModelMetadataRequest(name=name), None))
    config = model_config_pb2.ModelConfig()
    config.CopyFrom(models[name].config)
    return metadata, config


@pytest.mark.parametrize("name", ["text", "image", "audio", "grounding", "audio_labels"])
def test_the_same_model_has_no_differences(models: dict[str, ModelFolder], name: str) -> None:
    assert differences(models[name], *served(models, name)) == []


def test_each_difference_names_both_sides(models: dict[str, ModelFolder]) -> None:
    metadata, config = served(models, "audio")
    metadata.inputs[0].datatype = "FP16"
    metadata.outputs[0].shape[1] = 64
    config.parameters["fingerprint"].string_value = "a" * 64
    config.max_batch_size = 4
    found = "\n".join(differences(models["audio"], metadata, config))
    for side in (
        "waveform FP16 [-1, -1]",
        "waveform FP32 [-1, -1]",
        "embedding FP32 [-1, 64]",
        "embedding FP32 [-1, 128]",
    ):
        assert side in found
    assert "a" * 64 in found
    assert models["audio"].card.fingerprint in found
    assert "max_batch_size is 4 there and 16 here" in found


def test_a_missing_fingerprint_is_a_difference_and_is_not_added(models: dict[str, ModelFolder]) -> None:
    metadata, config = served(models, "text")
    del config.parameters["fingerprint"]
    assert "missing" in differences(models["text"], metadata, config)[0]
    assert "fingerprint" not in config.parameters
