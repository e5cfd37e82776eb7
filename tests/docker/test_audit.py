"""`make audit`: what pip-audit reports becomes a line and an exit code; no advisories are not the same as no holes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docker.dockerfile import ROOT

CLEAN = {"name": "h11", "version": "0.16.0", "vulns": []}
HOLED = {
    "name": "pillow",
    "version": "12.0.0",
    "vulns": [{"id": "GHSA-5x8w-8jj5-q52h", "fix_versions": ["13.0.0"], "aliases": [], "description": ""}],
}
UNKNOWN = {"name": "idna", "skip_reason": "Dependency not found on PyPI and could not be audited: idna (3.20)"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([CLEAN], 0, "nothing known against its 1 packages"),
        ([CLEAN, HOLED, UNKNOWN], 1, "pillow 12.0.0: GHSA-5x8w-8jj5-q52h, mended in 13.0.0"),
        ([CLEAN, UNKNOWN], 3, "no advisories for 1 of 2 packages"),
        ([], 3, "not audited"),
    ],
)
def test_a_report_becomes_a_verdict(packages: list[dict[str, Any]], code: int, words: str, tmp_path: Path) -> None:
    report = json.dumps({"dependencies": packages, "fixes": []})
    (tmp_path / "pip_audit.py").write_text(f"print({report!r})")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docker" / "audit.py"), "some.lock"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout


def test_a_tool_that_breaks_is_no_clean_bill(tmp_path: Path) -> None:
    (tmp_path / "pip_audit.py").write_text("raise SystemExit('no network')")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docker" / "audit.py"), "some.lock"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "no network" in done.stderr
