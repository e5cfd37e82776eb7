"""The shipped weights do what the model card says, on a part of the made test split, through the running server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from service.cli import main
from tests.service.live_server import LiveServer
from tests.training.data.emoji_font import needs_font
from training.data.corpus import make_corpus

PART = {"pictures": 272, "colours": 408, "scenes": 120, "sounds": 204, "speech": 204}
LEAST = {
    ("picture → name, zero-shot", "top-1"): 0.92,
    ("sound → name, zero-shot", "top-1"): 0.86,
    ("spoken word → name, zero-shot", "top-1"): 0.86,
    ("sound → picture", "R@1"): 0.75,
    ("sound + colour word → picture", "sound + text R@1"): 0.75,
    ("phrase → box", "Acc@0.5"): 0.75,
    ("sound → label, trained head", "top-1"): 0.88,
}
"""What is asked of the whole split, less three standard deviations of a part of this size."""


@needs_font
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng isn't installed (Debian package espeak-ng)")
def test_the_shipped_model_knows_what_its_card_says(default_server: LiveServer, tmp_path: Path) -> None:
    make_corpus(tmp_path / "corpus", 0, {"test": PART}, 1)
    arguments = ["made", tmp_path / "corpus", "--server", default_server.url, "--json", tmp_path / "out.json"]
    assert main(["eval", *map(str, arguments)]) == 0
    results = {
        result["title"]: result["metrics"] for result in json.loads((tmp_path / "out.json").read_text())["results"]
    }
    measured = {(title, metric): results[title][metric] for title, metric in LEAST}
    assert {name: value for name, value in measured.items() if value < LEAST[name]} == {}
