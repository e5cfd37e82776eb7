"""The variant for Triton's Python backend: the same model, batching and fingerprint; another caller of ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.triton.python_variant import PROGRAM, write_python_variant
from service.repository import CONFIG_FILE, MODEL_FILE, RepositoryError, read_config, read_repository
from tests.repository import REPOSITORY


def test_only_the_backend_changes(tmp_path: Path) -> None:
    write_python_variant(REPOSITORY, tmp_path / "out", threads=3)
    native, variant = read_repository(REPOSITORY), read_repository(tmp_path / "out")
    assert variant.keys() == native.keys()
    for name, model in variant.items():
        assert (model.path / MODEL_FILE).read_bytes() == (native[name].path / MODEL_FILE).read_bytes()
        assert (model.path / "1" / "model.py").read_text() == PROGRAM.read_text()
        assert model.card == native[name].card
        config = read_config(model.path / CONFIG_FILE)
        assert (config.backend, config.platform) == ("python", "")
        assert config.parameters["intra_op_thread_count"].string_value == "3"
        for field in ("input", "output", "dynamic_batching", "model_warmup", "max_batch_size"):
            assert getattr(config, field) == getattr(native[name].config, field), field


def test_the_source_is_not_touched_when_a_link_is_replaced(tmp_path: Path) -> None:
    before = (REPOSITORY / "text" / CONFIG_FILE).read_text()
    write_python_variant(REPOSITORY, tmp_path / "out")
    write_python_variant(REPOSITORY, tmp_path / "out")  # over the older one
    assert (REPOSITORY / "text" / CONFIG_FILE).read_text() == before


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError):
        write_python_variant(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()
