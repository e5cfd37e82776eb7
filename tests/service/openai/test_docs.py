"""The examples of docs/openai.md, run against the real server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.live_server import LiveServer
from tests.test_readme import CUT, same

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "openai.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (curl .*)\n(.*)\n", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LOCKED = dict(re.findall(r"^(.+)==(.+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


@pytest.mark.parametrize(("command", "answer"), COMMANDS)
def test_a_command_answers_what_it_shows(default_server: LiveServer, command: str, answer: str) -> None:
    words = shlex.split(command.replace("localhost:8000", f"127.0.0.1:{default_server.port}"))
    result = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    same(json.loads(answer.replace(f"{CUT}]", f'"{CUT}"]')), json.loads(result.stdout))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.splitlines()[-1].partition("(")[2][:20])
def test_a_program_prints_what_it_shows(default_server: LiveServer, program: str) -> None:
    shown = re.findall(r"^print.*  # (.*)$", program, re.MULTILINE)
    code = program.replace("localhost:8000", f"127.0.0.1:{default_server.port}")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    assert shown
    assert result.stdout.splitlines() == shown


def test_the_page_has_examples_of_each_client() -> None:
    assert len(COMMANDS) >= 4
    for module in ("openai", "langchain_openai", "llama_index.embeddings.openai"):
        assert any(f"from {module} import" in program for program in PROGRAMS)


@pytest.mark.parametrize("client", ["openai", "langchain-openai", "llama-index-embeddings-openai"])
def test_the_page_names_the_versions_that_are_tested(client: str) -> None:
    assert f"| {client} {LOCKED[client]} |" in PAGE
