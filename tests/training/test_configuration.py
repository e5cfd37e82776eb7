from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.training.tiny import MODEL, RUN, write_run
from training.configuration import RunError, read_run

RUNS = sorted((Path(__file__).parents[2] / "training" / "runs").rglob("*.yaml"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_run_of_the_project_is_valid(path):
    settings = read_run(path)
    assert settings.out.name == path.stem


def test_runs_of_a_folder_start_from_each_other():
    for path in RUNS:
        settings = read_run(path)
        if settings.start is not None and settings.start.parts[0] == "runs":
            assert settings.start.name == "model.pt"
            assert settings.start.parent in {read_run(other).out for other in RUNS if other != path}


@pytest.fixture
def broken(tmp_path):
    def broken(**changes):
        return write_run(tmp_path / "run.yaml", Path("table.tsv"), **changes)

    return broken


def test_settings_are_read(broken):
    settings = read_run(broken(accumulate=3, optimizer={"learning_rate": 0.5, "betas": [0.8, 0.9]}))
    assert (settings.accumulate, settings.optimizer.betas, settings.seed) == (3, (0.8, 0.9), 3)
    assert settings.data.train == [Path("table.tsv")]


def test_overrides_replace_settings_and_are_checked(broken):
    assert read_run(broken(), {"steps": 99}).steps == 99
    with pytest.raises(RunError, match="steps"):
        read_run(broken(), {"steps": 0})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stpes": 3}, "stpes"),
        ({"steps": None}, "steps"),
        ({"steps": 0}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"task": "smell"}, "task"),
        ({"batch_size": -1}, "batch_size"),
        ({"precision": "int4"}, "precision"),
        ({"parallel": "magic"}, "parallel"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"image_size": 100}, "image_size"),
        ({"image_size": 0}, "image_size"),
        ({"optimizer": {}}, r"optimizer\.learning_rate"),
        ({"optimizer": {"learning_rate": 0}}, r"optimizer\.learning_rate"),
        ({"optimizer": {"learning_rate": 1, "ema": 1.0}}, r"optimizer\.ema"),
        ({"optimizer": {"learning_rate": 1, "momentum": 1.0}}, r"optimizer\.momentum"),
        ({"optimizer": {"learning_rate": 1, "betas": [0.9, 1.0]}}, r"optimizer\.betas\.1"),
        ({"seed": -1}, "seed"),
        ({"loss_weights": {"contrats": 3.0}}, "no loss 'contrats', only contrast, image"),
        ({"image_size": 64}, r"image_size.*model\.image_size"),
        ({"denoising": {"rows": 1.5}}, r"denoising\.rows"),
        ({"denoising": {"dim": 30, "heads": 4}}, "denoising.*dim 30.*heads 4"),
        ({"model": {**MODEL, "dim": 4}}, r"model\.dim"),
        ({"model": {**MODEL, "heads": 5}}, "model.*dim 32.*heads 5"),
        ({"model": {**MODEL, "audio_position_groups": 5}}, "model.*dim 32.*audio_position_groups 5"),
        ({"model": {**MODEL, "image_size": 40}}, r"model\.image_size"),
        ({"model": {"dim": 32}}, r"model\.ffn_dim"),
        ({"data": {"train": []}}, r"data\.train"),
        ({"data": {"min_scale": 0}}, r"data\.min_scale"),
        ({"data": {"max_seconds": 30}}, r"data\.max_seconds"),
        ({"data": {"tables": []}}, r"data\.tables"),
        ({"model": None}, "either `start`.*or `model`"),
        ({"start": "model.pt"}, "either `start`.*or `model`"),
        ({"task": "grounding"}, "grounding needs a checkpoint as `start`"),
        ({"task": "audio_labels", "model": None, "start": "model.pt"}, r"data\.labels"),
    ],
)
def test_a_setting_that_can_not_be_used_is_named(broken, changes, named):
    with pytest.raises(RunError, match=rf"run\.yaml: .*{named}"):
        read_run(broken(**changes))


def test_all_wrong_settings_are_named_at_once(broken):
    with pytest.raises(RunError, match=r"steps.*; .*batch_size"):
        read_run(broken(steps=0, batch_size=0))


@pytest.mark.parametrize("content", ["", "- 1\n", "steps: [", "\x00"])
def test_a_file_that_holds_no_settings_is_named(tmp_path, content):
    (tmp_path / "run.yaml").write_text(content)
    with pytest.raises(RunError, match=r"run\.yaml"):
        read_run(tmp_path / "run.yaml")
    with pytest.raises(RunError, match=r"absent\.yaml"):
        read_run(tmp_path / "absent.yaml")


def test_settings_can_not_be_changed_later(tmp_path):
    settings = read_run(write_run(tmp_path / "run.yaml", Path("table.tsv")))
    with pytest.raises(ValueError, match="frozen"):
        settings.steps = 5
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["steps"] == RUN["steps"]
