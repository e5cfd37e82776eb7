"""docker-compose.yml as Compose itself reads it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docker.dockerfile import ROOT

COMPOSE = shutil.which("docker-compose", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


def compose_config(*files: str, **variables: str) -> dict[str, Any]:
    """The services, networks and so on of all profiles, with every variable filled in.

    Raises:
        AssertionError: Compose refuses the files.
    """
    if COMPOSE is None:
        pytest.skip("needs docker-compose, of the extra `dev`")
    named = [word for file in files or ("docker-compose.yml",) for word in ("--file", file)]
    command = [COMPOSE, *named, "--profile", "*", "config", "--format", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not result.stderr, result.stderr
    config: dict[str, Any] = json.loads(result.stdout)
    return config


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    """The services, by name."""
    found: dict[str, Any] = compose_config()["services"]
    return found
