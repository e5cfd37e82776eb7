"""`onepeace export` and `onepeace verify` as a person meets them."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

import pytest

from export import exporter
from export.cli import add_export_arguments, add_verify_arguments, run_export, run_verify
from export.one_peace.random_checkpoint import random_config, write_random_checkpoint
from service.repository import MODEL_FILE, read_repository
from tests.export.random_models import quick


def call_export(workshop, out, *arguments):
    parser = argparse.ArgumentParser()
    add_export_arguments(parser)
    return run_export(parser.parse_args(["--bpe-dir", str(workshop / "bpe"), "--out", str(out), *map(str, arguments)]))


def call_verify(*arguments):
    parser = argparse.ArgumentParser()
    add_verify_arguments(parser)
    return run_verify(parser.parse_args([*map(str, arguments)]))


@pytest.fixture(scope="module")
def image_checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "image.pt"
    write_random_checkpoint(path, quick(random_config(head_type="image")))
    return path


def test_reading_the_arguments_does_not_need_torch():
    code = "import sys, export.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_then_verify(workshop, image_checkpoint, tmp_path, capsys):
    assert call_export(workshop, tmp_path / "out", "--checkpoint", image_checkpoint) == 0
    assert "image" in capsys.readouterr().out
    first = read_repository(tmp_path / "out")["image"].card
    assert call_export(workshop, tmp_path / "out", "--checkpoint", image_checkpoint, "--no-verify") == 0
    assert read_repository(tmp_path / "out")["image"].card.fingerprint == first.fingerprint
    assert call_verify(tmp_path / "out", "--checkpoint", image_checkpoint) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("ok")


def test_labels_that_exclude_each_other_or_not(workshop, tmp_path):
    heads = ("--audio-labels", workshop / "audio_labels.pt", "--no-verify")
    for flags, activation in ((heads, "softmax"), ((*heads, "--multi-label"), "sigmoid")):
        assert call_export(workshop, tmp_path / activation, *flags) == 0
        assert read_repository(tmp_path / activation)["audio_labels"].card.activation == activation


def test_verify_fails_against_other_weights(workshop, image_checkpoint, tmp_path, capsys):
    call_export(workshop, tmp_path / "out", "--checkpoint", image_checkpoint, "--no-verify")
    write_random_checkpoint(tmp_path / "other.pt", quick(random_config(head_type="image")), seed=1)
    assert call_verify(tmp_path / "out", "--checkpoint", tmp_path / "other.pt") == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("FAILED")


def test_verify_sees_a_file_that_was_changed_after_the_export(workshop, image_checkpoint, tmp_path, capsys):
    call_export(workshop, tmp_path / "out", "--checkpoint", image_checkpoint, "--no-verify")
    card = tmp_path / "out" / "image" / "card.json"
    card.write_text(card.read_text().replace('"logit_scale": ', '"logit_scale": 1'))
    assert call_verify(tmp_path / "out", "--checkpoint", image_checkpoint) == 1
    assert "fingerprint" in capsys.readouterr().err


def test_wrong_paths_are_said_without_a_traceback(workshop, image_checkpoint, tmp_path, capsys):
    assert call_export(workshop, tmp_path / "out", "--checkpoint", tmp_path / "absent.pt") == 1
    assert "absent.pt: no such file" in capsys.readouterr().err
    assert call_verify(tmp_path, "--checkpoint", image_checkpoint) == 1
    assert "card.json" in capsys.readouterr().err
    assert call_export(tmp_path, tmp_path / "out", "--grounding", workshop / "grounding.pt") == 1
    assert "vocab.bpe" in capsys.readouterr().err


@pytest.mark.parametrize("break_model", [lambda graph: graph.write_bytes(b"no graph"), lambda graph: graph.unlink()])
def test_verify_says_what_onnx_runtime_can_not_run(workshop, repository, tmp_path, capsys, break_model):
    shutil.copytree(repository / "image", tmp_path / "image")
    break_model(tmp_path / "image" / MODEL_FILE)
    write_random_checkpoint(tmp_path / "image.pt", quick(random_config(head_type="image")))
    assert call_verify(tmp_path, "--checkpoint", tmp_path / "image.pt") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.onnx" in line


def test_a_folder_that_can_not_be_written_is_said(workshop, image_checkpoint, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        assert call_export(workshop, out, "--checkpoint", image_checkpoint) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert str(out) in line


def test_nothing_to_do_is_said(workshop, tmp_path, capsys):
    assert call_export(workshop, tmp_path / "out") == 2
    assert call_export(workshop, tmp_path / "out", "--vqa", "x.pt", "--labels", "labels.json") == 2
    assert "--labels needs --audio-labels" in capsys.readouterr().err
    assert call_export(workshop, tmp_path / "out", "--vqa", "x.pt", "--multi-label") == 2
    assert "--multi-label needs --audio-labels" in capsys.readouterr().err
    assert call_verify(tmp_path) == 2


@pytest.mark.parametrize(("error", "code"), [(OSError("no space left"), 1), (KeyboardInterrupt(), 130)])
def test_an_export_that_fails_or_is_interrupted_leaves_nothing(
    workshop, image_checkpoint, tmp_path, monkeypatch, capsys, error, code
):
    def fail(*_):
        raise error

    monkeypatch.setattr(exporter, "verify_model", fail)
    assert call_export(workshop, tmp_path / "out", "--checkpoint", image_checkpoint) == code
    assert list((tmp_path / "out").iterdir()) == []
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_checkpoints_become_a_repository_for_triton_in_one_step(workshop, image_checkpoint, tmp_path, capsys):
    flags = ("--checkpoint", image_checkpoint, "--target", "triton-onnx", "--accelerator", "tensorrt")
    assert call_export(workshop, tmp_path / "out", *flags, "--precision", "fp16") == 0
    assert "image: ONNX Runtime on tensorrt" in capsys.readouterr().out
    model = read_repository(tmp_path / "out")["image"]
    (accelerator,) = model.config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.parameters["precision_mode"] == "FP16"
    assert accelerator.parameters["trt_layer_norm_fp32_fallback"] == "1"
    assert (model.path / "1" / "standard.onnx").is_file()
    assert call_verify(tmp_path / "out", "--checkpoint", image_checkpoint) == 0


def test_int8_for_tensorrt_is_refused_before_the_export(workshop, image_checkpoint, tmp_path, capsys):
    flags = ("--checkpoint", image_checkpoint, "--target", "triton-tensorrt", "--precision", "int8")
    assert call_export(workshop, tmp_path / "out", *flags) == 1
    assert "--precision int8: int8 weights" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
