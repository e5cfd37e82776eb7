"""Reading the model repository: what is wrong is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from service.repository import RepositoryError, read_config, read_repository, space_fingerprint, write_config
from service.runtime import Runtime
from service.settings import load_settings
from tests.repository import REPOSITORY


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "text", tmp_path / "text")
    return tmp_path


def test_the_stand_in_repository_is_sound() -> None:
    models = read_repository(REPOSITORY)
    assert set(models) == {"text", "image", "audio", "grounding", "audio_labels"}
    assert models["text"].length_buckets[-1] == models["text"].card.max_tokens
    assert models["audio_labels"].labels


def test_the_space_changes_with_any_of_its_models(repository: Path) -> None:
    alone = space_fingerprint(read_repository(repository))
    shutil.copytree(REPOSITORY / "image", repository / "image")
    assert space_fingerprint(read_repository(repository)) != alone


def test_a_config_survives_writing_and_reading(repository: Path, tmp_path: Path) -> None:
    config = read_config(repository / "text" / "config.pbtxt")
    write_config(config, tmp_path / "again.pbtxt")
    assert read_config(tmp_path / "again.pbtxt") == config


@pytest.mark.parametrize("file", ["card.json", "1/model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(repository: Path, file: str) -> None:
    (repository / "text" / file).unlink()
    with pytest.raises(RepositoryError, match=file):
        read_repository(repository)


@pytest.mark.parametrize("file", ["card.json", "config.pbtxt"])
def test_a_broken_file_is_named(repository: Path, file: str) -> None:
    (repository / "text" / file).write_text("{ this is neither")
    with pytest.raises(RepositoryError, match=file):
        read_repository(repository)


def test_cards_and_configs_of_different_exports_are_refused(repository: Path) -> None:
    path = repository / "text" / "card.json"
    card = json.loads(path.read_text()) | {"fingerprint": "0" * 64}
    path.write_text(json.dumps(card))
    with pytest.raises(RepositoryError, match="fingerprints"):
        read_repository(repository)


def test_other_tensor_names_are_refused(repository: Path) -> None:
    path = repository / "text" / "config.pbtxt"
    config = read_config(path)
    config.input[0].name = "input_ids"
    write_config(config, path)
    with pytest.raises(RepositoryError, match="tokens"):
        read_repository(repository)


@pytest.mark.parametrize(
    ("field", "value"), [("checkpoint_sha256", "f" * 64), ("logit_scale", 1.0), ("embedding_dim", 64)]
)
def test_models_of_different_spaces_are_refused(repository: Path, field: str, value: object) -> None:
    shutil.copytree(REPOSITORY / "image", repository / "image")
    path = repository / "image" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(RepositoryError, match=r"space|embedding"):
        read_repository(repository)


def test_a_config_that_contradicts_its_card_is_refused(repository: Path) -> None:
    path = repository / "text" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"embedding_dim": 64}))
    with pytest.raises(RepositoryError, match=r"\[128\], not .*\[64\]"):
        read_repository(repository)


def test_a_tokenizer_that_is_none_is_named(repository: Path) -> None:
    (repository / "text" / "tokenizer.json").write_text("{}")
    with pytest.raises(RepositoryError, match=r"tokenizer\.json"):
        Runtime(load_settings({"model_repository": repository}))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="holds none"):
        read_repository(tmp_path)
