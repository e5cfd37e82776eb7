"""The commands of the README and of docs/api.md, run against the real server: an example that is wrong fails here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.service.live_server import LiveServer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^\$ (curl (?:.*\\\n)*.*)\n((?:[^`$].*\n)+)", re.MULTILINE)
EXAMPLES, API_EXAMPLES = EXAMPLE.findall(README), EXAMPLE.findall(API)
CUT = "…"


def same(shown: Any, got: Any, place: str = "") -> None:
    """What the README shows must be what came, as far as it shows it."""
    if isinstance(shown, dict):
        shown = dict(shown)
        whole = shown.pop(CUT, None) is None
        assert shown.keys() == got.keys() if whole else shown.keys() <= got.keys(), place
        for key, value in shown.items():
            same(value, got[key], f"{place}/{key}")
    elif isinstance(shown, list):
        whole = CUT not in shown
        assert not whole or len(shown) == len(got), place
        for index, value in enumerate(shown[: None if whole else shown.index(CUT)]):
            same(value, got[index], f"{place}/{index}")
    elif isinstance(shown, float):
        assert got == pytest.approx(shown, abs=2e-3, rel=2e-3), place
    elif isinstance(shown, str) and shown.endswith(CUT):
        assert got.startswith(shown[:-1]), place
    else:
        assert shown == got, place


def test_every_endpoint_has_an_example() -> None:
    commands = " ".join(command for command, _ in EXAMPLES)
    for path in ("/embed", "/similarity", "/ground", "/classify", "/audio/labels", "/info"):
        assert f"localhost:8000{path}" in commands


def test_every_example_of_the_page_on_the_api_is_tried() -> None:
    assert len(API_EXAMPLES) == API.count("\n$ ") == len(re.findall(r"^curl |^\$ curl ", API, re.MULTILINE)) > 0


@pytest.mark.parametrize(
    ("command", "answer"),
    EXAMPLES + API_EXAMPLES,
    ids=[command.split()[2] for command, _ in EXAMPLES + API_EXAMPLES],
)
def test_the_examples_answer_what_they_show(default_server: LiveServer, command: str, answer: str) -> None:
    words = shlex.split(command.replace("\\\n", " ").replace("localhost:8000", f"127.0.0.1:{default_server.port}"))
    result = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    spelled = answer.replace(f", {CUT}}}", f', "{CUT}": 0}}').replace(f", {CUT}]", f', "{CUT}"]')
    same(json.loads(spelled), json.loads(result.stdout))
