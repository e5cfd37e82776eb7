"""`onepeace export --target …` as a person meets it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys

import pytest

from export.target import parse_instances
from service.cli import main
from service.repository import read_repository
from tests.repository import REPOSITORY

PLAN_NAMES = ("--tensorrt-version", "10.3.0", "--compute-capability", "9.0")


def export(*arguments):
    return main(["export", *map(str, arguments)])


def test_a_repository_is_written_without_pytorch(tmp_path):
    code = f"""
import sys
sys.modules["torch"] = None
from service.cli import main
sys.exit(main(["export", "--target", "triton-onnx", "--accelerator", "tensorrt",
               "--repository", {str(REPOSITORY)!r}, "--out", {str(tmp_path)!r}, "--instances", "text=2"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "text: ONNX Runtime on tensorrt" in done.stdout
    assert read_repository(tmp_path)["text"].instances == 2


def test_cuda_needs_no_package_for_graphs(tmp_path):
    code = f"""
import sys
sys.modules["torch"] = sys.modules["onnx_ir"] = None
from service.cli import main
arguments = ["export", "--repository", {str(REPOSITORY)!r}, "--target", "triton-onnx", "--out"]
assert main([*arguments, {str(tmp_path / "cuda")!r}]) == 0
sys.exit(main([*arguments, {str(tmp_path / "other")!r}, "--accelerator", "tensorrt"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "onnx_ir is missing" in done.stderr
    assert "[cpu,triton]" in done.stderr


def test_missing_plans_are_said_and_the_export_goes_on(tmp_path, no_tensorrt, capsys):
    arguments = ("--target", "triton-tensorrt", "--repository", REPOSITORY, "--out", tmp_path)
    assert export(*arguments) == 0
    assert export(*arguments, "--require-plans") == 1
    assert "no plan for 'text': the package tensorrt is not installed" in capsys.readouterr().err


def test_trtexec_commands_name_the_files_that_the_next_export_looks_for(tmp_path, capsys):
    arguments = ("--target", "triton-tensorrt", "--repository", REPOSITORY, "--out", tmp_path)
    assert export(*arguments, "--print-trtexec", *PLAN_NAMES) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if line.startswith("trtexec")]
    assert len(commands) == 5
    for command in commands:
        options = dict(word.removeprefix("--").partition("=")[::2] for word in command[1:])
        assert (tmp_path / options["onnx"]).is_file()
        (tmp_path / options["saveEngine"]).write_bytes(b"a plan")
        assert sum(word.startswith("--minShapes") for word in command) in (1, 6, 7)
        assert "--stronglyTyped" in command
    assert export("--target", "triton-tensorrt", "--repository", tmp_path, "--out", tmp_path, "--no-build") == 0
    assert {model.config.backend for model in read_repository(tmp_path).values()} == {"tensorrt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repository", "x"], "--repository needs --target"),
        (["--target", "triton-onnx"], "name at least one checkpoint"),
        (["--target", "triton-onnx", "--checkpoint", "x.pt"], "checkpoints need --bpe-dir"),
        (["--target", "triton-onnx", "--repository", "x", "--checkpoint", "x.pt"], "exclude each other"),
        (["--target", "triton-onnx", "--repository", "x", "--instances", "txt=2"], "no model is called 'txt'"),
        (["--target", "triton-onnx", "--repository", "x", "--instances", "0"], "names no number"),
        (["--target", "triton-onnx", "--repository", "x", "--threads", "0"], "start at 1"),
        (["--target", "triton-onnx", "--repository", "x", "--print-trtexec"], "needs --target triton-tensorrt"),
        (["--target", "triton-tensorrt", "--repository", "x", "--print-trtexec"], "needs --tensorrt-version"),
        (["--target", "triton-onnx", "--repository", "x", "--precision", "fp16"], "keeps the precision"),
        (["--target", "triton-onnx", "--repository", "x", "--require-plans"], "need --target triton-tensorrt"),
        (["--target", "triton-onnx", "--repository", "x", "--engine-cache", "engines"], "absolute path"),
        (["--target", "triton-tensorrt", "--repository", "x", "--compute-capability", "9"], "not of the form 9.0"),
        (["--target", "triton-tensorrt", "--repository", "x", "--tensorrt-version", "10"], "not of the form 10."),
    ],
)
def test_arguments_that_do_not_fit_are_said(tmp_path, capsys, arguments, message):
    assert export("--out", tmp_path, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_broken_repository_is_said(tmp_path, capsys):
    assert export("--target", "triton-onnx", "--repository", tmp_path, "--out", tmp_path / "out") == 1
    assert "holds none of the models" in capsys.readouterr().err


def test_a_broken_graph_is_said(tmp_path, capsys):
    shutil.copytree(REPOSITORY / "text", tmp_path / "from" / "text")
    (tmp_path / "from" / "text" / "1" / "model.onnx").write_bytes(b"junk")
    arguments = ("--target", "triton-onnx", "--accelerator", "tensorrt", "--repository", tmp_path / "from")
    assert export(*arguments, "--out", tmp_path / "out") == 1
    assert "can't be read as an ONNX model" in capsys.readouterr().err


def test_verify_holds_plans_against_onnx_runtime(two_models, tmp_path, tensorrt, monkeypatch, capsys):
    arguments = ("--target", "triton-tensorrt", "--repository", two_models, "--out", tmp_path / "out")
    assert export(*arguments, "--timing-cache", tmp_path) == 0
    assert main(["verify", str(tmp_path / "out"), "--plans"]) == 0
    assert sum(line.endswith("ok") for line in capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setattr(tensorrt.Device, "error", 1.0)
    assert main(["verify", str(tmp_path / "out"), "--plans"]) == 1
    assert main(["verify", str(two_models), "--plans"]) == 1
    assert "no such plan" in capsys.readouterr().err


def test_the_last_number_of_instances_counts():
    instances = parse_instances(["2", "text=3"])
    assert (instances["text"], instances["image"]) == (3, 2)
