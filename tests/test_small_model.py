"""The shipped weights do what their record says, on a part of the made test split, through the running server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from service.cli import main
from tests.service.live_server import LiveServer
from tests.training.data.emoji_font import needs_font
from training.data.corpus import make_corpus

RECORD = Path(__file__).parents[1] / "training" / "runs" / "small" / "record" / "evaluation.json"
PART = {"pictures": 272, "colours": 408, "scenes": 120, "sounds": 204, "speech": 204}
HEADLINES = {
    "picture → name, zero-shot": "top-1",
    "sound → name, zero-shot": "top-1",
    "spoken word → name, zero-shot": "top-1",
    "sound → picture": "R@1",
    "sound + colour word → picture": "sound + text R@1",
    "phrase → box": "Acc@0.5",
    "sound → label, trained head": "top-1",
}
CHANCE_OFF = 0.12  # three standard deviations of a part of this size, and other galleries


@needs_font
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng isn't installed (Debian package espeak-ng)")
def test_the_shipped_model_measures_as_recorded(default_server: LiveServer, tmp_path: Path) -> None:
    make_corpus(tmp_path / "corpus", 0, {"test": PART}, 1)
    arguments = ["made", tmp_path / "corpus", "--server", default_server.url, "--json", tmp_path / "out.json"]
    assert main(["eval", *map(str, arguments)]) == 0
    recorded, measured = (headlines(file) for file in (RECORD, tmp_path / "out.json"))
    assert {title: value for title, value in measured.items() if abs(value - recorded[title]) > CHANCE_OFF} == {}


def headlines(file: Path) -> dict[str, float]:
    results = {result["title"]: result["metrics"] for result in json.loads(file.read_text())["results"]}
    return {title: results[title][metric] for title, metric in HEADLINES.items()}
