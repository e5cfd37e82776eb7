"""The client's README, run against the real server: what it says that it prints, it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.live_server import LiveServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "client" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^ *print\(.*\) +# (.+)$", re.MULTILINE)
IMPORTS = "from pathlib import Path\nfrom onepeace_client import Client\n"


def located(code: str, server: LiveServer) -> str:
    return code.replace("localhost:8000", f"127.0.0.1:{server.port}").replace("localhost:50051", server.grpc_address)


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_prints_what_it_shows(default_server: LiveServer, code: str) -> None:
    command = [sys.executable, "-W", "error", "-c", IMPORTS + located(code, default_server)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    printed = result.stdout.splitlines()
    shown = SHOWN.findall(code)
    assert shown
    for line, text in zip(printed, shown, strict=False):
        assert line == text.split(", float32")[0] or text.startswith("where the time went")


def test_every_error_is_named() -> None:
    from onepeace_client import errors

    named = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert all(name in README for name in named)
