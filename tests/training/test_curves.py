from __future__ import annotations

import json
import sys

from training.curves import draw_curves, main

REPORTS = [
    {"step": 10, "kind": "train", "contrast": 3.0, "learning_rate": 0.1, "step_s": 2.0},
    {"step": 20, "kind": "train", "contrast": 2.0, "learning_rate": 0.1, "step_s": 2.0, "image": 5.0},
    {"step": 20, "kind": "validation", "contrast": 2.5},
]


def write_log(folder, name):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(report) + "\n" for report in REPORTS))
    return folder / name


def test_each_run_has_its_row_with_its_values_and_its_name(tmp_path):
    figure = draw_curves([write_log(tmp_path / "1_first", "log.jsonl"), write_log(tmp_path, "2_second.jsonl")])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["1_first", "2_second"]
    for axes in figure.axes:
        drawn = sorted((line.get_linestyle(), line.get_xydata().tolist()) for line in axes.lines)
        assert drawn == [("-", [[10, 3.0], [20, 2.0]]), ("-", [[20, 5.0]]), ("--", [[20, 2.5]])]
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["contrast", "image"]


def test_the_command_writes_a_picture(tmp_path, monkeypatch):
    log = write_log(tmp_path / "run", "log.jsonl")
    monkeypatch.setattr(sys, "argv", ["curves", str(tmp_path / "curves.png"), str(log)])
    assert main() == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
