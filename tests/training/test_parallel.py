"""Two processes on one machine, against one process with the same batches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.tiny import write_pictures, write_run
from training.configuration import RunError, read_run
from training.log import read_log
from training.run import train

# Without denoising: its random choices, and the units to choose from, are each process's own.
CONTRAST = {"steps": 4, "save_every": 2, "batch_size": 8, "denoising": {"rows": 0}}
AVERAGED = {"optimizer": {"learning_rate": 2.0e-4, "ema": 0.5}}
LAST = {"optimizer": {"learning_rate": 2.0e-4}}
SHARDED = {"parallel": "fsdp", "activation_checkpointing": True}


def weights(out: Path) -> dict[str, torch.Tensor]:
    return torch.load(out / "model.pt", weights_only=True)["model"]


def largest_difference(one: Path, other: Path) -> float:
    first, second = weights(one), weights(other)
    assert {name: w.shape for name, w in first.items()} == {name: w.shape for name, w in second.items()}
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of all runs: alone, copied, sharded, sharded and stopped between."""
    folder = tmp_path_factory.mktemp("parallel")
    pictures = write_pictures(folder / "pictures")
    for name, changes in {
        "alone": LAST,
        "alone_averaged": AVERAGED,
        "copied": LAST,
        "sharded": {**SHARDED, **LAST},
        "sharded_averaged": {**SHARDED, **AVERAGED},
        "denoising": {**SHARDED, **LAST, "denoising": {"rows": 1.0, "layers": 1, "dim": 16, "heads": 2}},
    }.items():
        write_run(folder / f"{name}.yaml", pictures, **{**CONTRAST, **changes})
    for name in ("alone", "alone_averaged"):
        train(read_run(folder / f"{name}.yaml"))
    in_turn = ["copied@3", "copied", "sharded", "sharded_averaged@3", "sharded_averaged", "denoising"]
    arguments = [f"{folder / name.split('@')[0]}.yaml{'@' * ('@' in name)}{name.partition('@')[2]}" for name in in_turn]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    with subprocess.Popen(
        [*command, "tests.training.runs_in_turn", *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as launched:
        try:
            errors = launched.communicate(timeout=150)[1]
        except subprocess.TimeoutExpired:
            os.killpg(launched.pid, signal.SIGTERM)  # `torchrun` ends its processes, which have sessions of their own
            raise
    assert launched.returncode == 0, errors[-6000:]
    return folder


@pytest.mark.parametrize(
    ("one", "two"), [("alone", "copied"), ("alone", "sharded"), ("alone_averaged", "sharded_averaged")]
)
def test_two_processes_learn_what_one_learns(runs, one, two):
    assert largest_difference(runs / one, runs / two) < 1e-5


@pytest.mark.parametrize("two", ["copied", "sharded"])
def test_two_processes_report_what_one_reports(runs, two):
    """The contrast is over rows of both: with half the rows it would be smaller by ln 2."""
    for one, other in zip(read_log(runs / "alone" / "log.jsonl"), read_log(runs / two / "log.jsonl"), strict=True):
        assert one["step"] == other["step"]
        assert other["contrast"] == pytest.approx(one["contrast"], rel=1e-4)
        assert other["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-3)


def test_weights_were_moved_at_all(runs):
    assert largest_difference(runs / "alone", runs / "alone_averaged") > 3e-5


def test_denoising_works_on_shards(runs):
    for report in read_log(runs / "denoising" / "log.jsonl"):
        assert all(report[name] > 0 for name in ("text", "image", "joint_text", "joint_image"))
    assert all(weight.isfinite().all() for weight in weights(runs / "denoising").values())


def test_shards_need_several_processes(runs):
    with pytest.raises(RunError, match="fsdp needs `torchrun`"):
        train(read_run(runs / "sharded.yaml", {"out": runs / "never"}))


def test_states_are_whole(runs):
    """A run can go on with another number of processes."""
    for name in ("copied", "sharded_averaged"):
        state = torch.load(runs / name / "states" / "step-0000004.pt", weights_only=True)
        alone = torch.load(runs / "alone" / "states" / "step-0000004.pt", weights_only=True)
        assert {k: v.shape for k, v in state["model"].items()} == {k: v.shape for k, v in alone["model"].items()}
        assert state["optimizer"]["state"].keys() == alone["optimizer"]["state"].keys()
