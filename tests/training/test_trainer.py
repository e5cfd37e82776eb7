from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from export.one_peace.checkpoint import load_checkpoint
from tests.training.tiny import MODEL, write_pictures, write_run, write_sounds
from training.cli import run_train
from training.configuration import RunError, read_run
from training.log import read_log
from training.run import train

TIMES = ("wait_s", "step_s")
PLAIN = {}
FULL = {
    "accumulate": 2,
    "activation_checkpointing": True,
    "optimizer": {"learning_rate": 1.0e-3, "warmup_steps": 2, "layer_decay": 0.8, "ema": 0.7},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pictures):
    """Folders of runs that went through, by name."""
    folder, found = tmp_path_factory.mktemp("through"), {}

    def trained(name, changes):
        if name not in found:
            settings = read_run(write_run(folder / f"{name}.yaml", pictures, **changes))
            train(settings)
            found[name] = settings.out
        return found[name]

    return trained


def final_weights(out: Path) -> dict[str, torch.Tensor]:
    return torch.load(out / "model.pt", weights_only=True)["model"]


def reports(out: Path) -> list[dict]:
    return [{k: v for k, v in report.items() if k not in TIMES} for report in read_log(out / "log.jsonl")]


def assert_same(one: Path, other: Path) -> None:
    first, second = final_weights(one), final_weights(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert reports(one) == reports(other)


@pytest.mark.parametrize(
    ("name", "changes", "stops"),
    [("plain", PLAIN, (5, 9)), ("plain", PLAIN, (3, 4, 8, 11)), ("full", FULL, (6, 9))],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_a_run_that_was_stopped_ends_as_one_that_went_through(trained, pictures, tmp_path, name, changes, stops):
    through = trained(name, changes)
    path = write_run(tmp_path / "stopped.yaml", pictures, **changes)
    for until in stops:
        train(read_run(path), until)
        assert not (tmp_path / "stopped" / "model.pt").exists()
    train(read_run(path))
    assert_same(through, tmp_path / "stopped")


def test_a_run_that_was_killed_ends_as_one_that_went_through(trained, pictures, tmp_path):
    path = write_run(tmp_path / "killed.yaml", pictures, data={"workers": 1})
    command = [sys.executable, "-m", "training", str(path)]
    log = tmp_path / "killed" / "log.jsonl"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and log.read_text().count("\n") >= 6:
                os.killpg(process.pid, signal.SIGKILL)  # the loaders too, as a machine that goes down
                break
            time.sleep(0.002)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.pt").exists()
    assert (tmp_path / "killed" / "states" / "step-0000004.pt").exists()
    train(read_run(path))
    assert_same(trained("plain", PLAIN), tmp_path / "killed")


def test_a_finished_run_that_is_started_again_writes_the_same(trained, pictures, tmp_path):
    path = write_run(tmp_path / "again.yaml", pictures)
    train(read_run(path))
    (tmp_path / "again" / "model.pt").unlink()
    train(read_run(path))
    assert_same(trained("plain", PLAIN), tmp_path / "again")


def test_decoding_in_other_processes_changes_nothing(trained, pictures, tmp_path):
    path = write_run(tmp_path / "workers.yaml", pictures, data={"workers": 2})
    train(read_run(path))
    assert_same(trained("plain", PLAIN), tmp_path / "workers")


def test_activation_checkpointing_changes_nothing(trained, pictures, tmp_path):
    path = write_run(tmp_path / "checkpointed.yaml", pictures, activation_checkpointing=True)
    train(read_run(path))
    assert_same(trained("plain", PLAIN), tmp_path / "checkpointed")


def test_every_step_is_reported_and_moves_the_weights(trained):
    out = trained("plain", PLAIN)
    found = read_log(out / "log.jsonl")
    assert [report["step"] for report in found] == list(range(1, 13))
    names = {"contrast", "text", "image", "joint_text", "joint_image", "gradient_norm", "learning_rate", *TIMES}
    assert all(set(report) == {"step", "kind"} | names for report in found)
    assert found[0]["learning_rate"] == pytest.approx(5e-4)
    assert list((out / "tensorboard").glob("events*"))


def test_the_newest_two_states_are_kept(trained):
    out = trained("plain", PLAIN)
    assert sorted(path.name for path in (out / "states").iterdir()) == ["step-0000008.pt", "step-0000012.pt"]


def test_a_damaged_state_is_named(pictures, tmp_path):
    path = write_run(tmp_path / "run.yaml", pictures)
    train(read_run(path), 4)
    (tmp_path / "run" / "states" / "step-0000004.pt").write_bytes(b"torn")
    with pytest.raises(RunError, match=r"step-0000004\.pt: can't be read; remove it"):
        train(read_run(path))


def test_a_log_line_that_was_torn_is_dropped(trained, pictures, tmp_path):
    path = write_run(tmp_path / "torn.yaml", pictures)
    train(read_run(path), 5)
    with (tmp_path / "torn" / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "ki')
    train(read_run(path))
    assert_same(trained("plain", PLAIN), tmp_path / "torn")


def test_accumulated_steps_see_that_many_batches(trained):
    """The rates' schedule counts optimiser steps; losses are means over the forward passes."""
    full = reports(trained("full", FULL))
    assert [report["step"] for report in full] == list(range(1, 13))
    assert full[0]["contrast"] != reports(trained("plain", PLAIN))[0]["contrast"]


def test_averaged_weights_are_what_is_written(trained, pictures, tmp_path):
    averaged = final_weights(trained("full", FULL))
    optimizer = {key: value for key, value in FULL["optimizer"].items() if key != "ema"}
    path = write_run(tmp_path / "last.yaml", pictures, **{**FULL, "optimizer": optimizer})
    train(read_run(path))
    last = final_weights(tmp_path / "last")
    assert averaged.keys() == last.keys()
    assert not torch.equal(averaged["text_proj.weight"], last["text_proj.weight"])
    assert (averaged["text_proj.weight"] - last["text_proj.weight"]).abs().max() < 0.01
    load_checkpoint(trained("full", FULL) / "model.pt").embedding_model()


def test_validation_is_reported(pictures, tmp_path):
    held_out = write_pictures(tmp_path / "held_out", 9, seed=1)
    changes = {"validate_every": 3, "data": {"validation": [str(held_out)]}, "steps": 6}
    train(read_run(write_run(tmp_path / "run.yaml", pictures, **changes)))
    found = [report for report in read_log(tmp_path / "run" / "log.jsonl") if report["kind"] == "validation"]
    assert [report["step"] for report in found] == [3, 6]
    assert set(found[0]) == {"step", "kind", "contrast", "text", "image", "joint_text", "joint_image"}


def test_validation_changes_nothing_of_training(trained, pictures, tmp_path):
    changes = {"validate_every": 5, "data": {"validation": [str(pictures)]}}
    train(read_run(write_run(tmp_path / "run.yaml", pictures, **changes)))
    through, validated = final_weights(trained("plain", PLAIN)), final_weights(tmp_path / "run")
    assert all(torch.equal(through[name], validated[name]) for name in through)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_trains_float32_weights(trained, pictures, tmp_path, precision):
    path = write_run(tmp_path / "run.yaml", pictures, precision=precision, steps=4)
    train(read_run(path), 2)
    train(read_run(path))
    weights = final_weights(tmp_path / "run")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert all(weight.isfinite().all() for weight in weights.values())
    exact = reports(trained("plain", PLAIN))[0]["contrast"]
    assert reports(tmp_path / "run")[0]["contrast"] == pytest.approx(exact, rel=0.05)


def test_from_pictures_to_sounds_to_boxes_and_labels(trained, pictures, tmp_path):
    """The stages of `training/runs`, each from what the one before wrote."""
    sounds = write_sounds(tmp_path / "sounds")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    first = trained("plain", PLAIN) / "model.pt"
    later = {"model": None, "steps": 2}
    stages = [
        ("audio_language", sounds, {"start": str(first)}),
        ("grounding", pictures, {"start": str(first), "image_size": 48}),
        ("audio_labels", sounds, {"start": str(tmp_path / "audio_language" / "model.pt")}),
    ]
    for task, table, changes in stages:
        data = {"labels": str(tmp_path / "labels.txt")} if task == "audio_labels" else {}
        train(read_run(write_run(tmp_path / f"{task}.yaml", table, task=task, data=data, **later, **changes)))
        assert load_checkpoint(tmp_path / task / "model.pt").config.encoder.dim == MODEL["dim"]
    before, after = final_weights(trained("plain", PLAIN)), final_weights(tmp_path / "audio_language")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all("audio" in name or name == "logit_scale" for name in moved)


def test_a_run_with_other_settings_in_the_same_folder_is_refused(pictures, tmp_path):
    train(read_run(write_run(tmp_path / "run.yaml", pictures)))
    before = (tmp_path / "run" / "model.pt").read_bytes()
    other = {"seed": 4, "model": {**MODEL, "layers": 3}, "optimizer": {"learning_rate": 2e-3, "warmup_steps": 2}}
    with pytest.raises(RunError, match=r"other settings \(model\.layers, optimizer\.learning_rate, seed\)"):
        train(read_run(write_run(tmp_path / "run.yaml", pictures, **other)))
    train(read_run(write_run(tmp_path / "run.yaml", pictures, threads=None, log_every=5)))  # these change no weight
    assert (tmp_path / "run" / "model.pt").read_bytes() == before


def test_what_stops_a_run_is_said_in_one_line(trained, pictures, tmp_path, capsys):
    arguments = type("Arguments", (), {"until": None})
    broken = pictures.with_name("broken.tsv")
    broken.write_text("1\tabsent.png\ta cow\n" * 8)
    torn = {"data": {"train": [str(broken)], "workers": 1}}
    regions = {"task": "grounding", "model": None, "start": str(trained("plain", PLAIN) / "model.pt")}
    unboxed = pictures.with_name("unboxed.tsv")
    unboxed.write_text(pictures.read_text() + "x9\t0.png\ta cow\tcow\n")
    for code, changes, message in (
        (1, torn, "absent.png"),
        (1, {**regions, "data": {"train": [str(unboxed)]}}, "(example 'x9'): region 'cow' is not four numbers"),
        (2, {"steps": 0}, "steps"),
        (2, {"batch_size": 50}, "batch_size: 40 examples don't fill a batch of 50"),
        (2, {"data": {"bpe_dir": "absent"}}, "data.bpe_dir"),
        (1, {"data": {"train": [str(broken)]}}, "absent.png"),
        (1, {"data": {"train": ["absent.tsv"]}}, "absent.tsv"),
    ):
        arguments.run = write_run(tmp_path / "run.yaml", pictures, **changes)
        assert run_train(arguments) == code
        error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("onepeace train: ")]
        assert len(error) == 1
        assert message in error[0]


def test_a_log_holds_one_json_object_a_line(trained):
    lines = (trained("plain", PLAIN) / "log.jsonl").read_text().splitlines()
    assert all(json.loads(line)["kind"] == "train" for line in lines)
