"""The Dockerfiles: linted, pinned, without root, and copying only what is there."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import ENV_PREFIX, Settings
from tests.docker.dockerfile import DOCKERFILES, ROOT, Stage, read_dockerfile

HADOLINT = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
EXACT_TAG = re.compile(r":\d+\.\d+(\.\d+)?-[\w-]+$")
every_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)


def images(path: Path) -> list[Stage]:
    """All stages, and the last one for each value of its build argument."""
    return read_dockerfile(path) + ([read_dockerfile(path, MODEL="small")[-1]] if "gateway" in path.name else [])


def is_sent_to_the_builder(path: str) -> bool:
    """As .dockerignore says: the last pattern that matches a path, or a folder above it, decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        above = [str(parent) for parent in Path(path).parents]
        names = [path, *above] if "**/" not in line else Path(path).parts
        if line and not line.startswith("#") and any(fnmatch.fnmatch(name, pattern) for name in names):
            sent = line.startswith("!")
    return sent


@pytest.mark.skipif(HADOLINT is None, reason="needs hadolint, of the extra `dev`")
@every_dockerfile
def test_hadolint_finds_nothing(path: Path) -> None:
    result = subprocess.run([str(HADOLINT), "--no-color", str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@every_dockerfile
def test_every_base_is_a_stage_or_pinned_by_an_exact_tag(path: Path) -> None:
    for stage in images(path):
        assert stage.parent or EXACT_TAG.search(stage.base), stage.base
        assert "latest" not in stage.base


@every_dockerfile
def test_the_image_runs_as_a_numeric_user_that_is_not_root(path: Path) -> None:
    user = images(path)[-1].last("USER")
    assert user
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), user


@every_dockerfile
def test_entry_and_command_are_in_exec_form(path: Path) -> None:
    image = images(path)[-1]
    assert image.command()
    for instruction in ("ENTRYPOINT", "CMD"):
        value = image.last(instruction)
        assert value is None or all(isinstance(word, str) for word in json.loads(value))


@every_dockerfile
def test_every_copied_path_exists_and_reaches_the_builder(path: Path) -> None:
    for source in (source for stage in images(path) for source in stage.copied()):
        found = ROOT / source
        assert found.exists(), source
        files = [found] if found.is_file() else [file for file in found.rglob("*.*") if file.suffix in {".py", ".onnx"}]
        assert files, source
        for file in files:
            assert is_sent_to_the_builder(str(file.relative_to(ROOT))), file


@pytest.mark.parametrize(
    "path", [".git/config", ".env", ".venv/bin/python", "runs/a.pt", "tests/golden.py", "service/__pycache__/cli.pyc"]
)
def test_what_no_image_needs_stays_away_from_the_builder(path: str) -> None:
    assert not is_sent_to_the_builder(path)


@every_dockerfile
def test_nothing_is_installed_without_its_hash(path: Path) -> None:
    for step in (step for stage in images(path) for step in stage.own("RUN")):
        for part in step.split("&&"):
            if re.search(r"\bpip\b.* (install|wheel) ", part):
                assert "--require-hashes" in part or "--no-index" in part, part
        assert "apt" not in step
        assert "curl" not in step


@every_dockerfile
def test_every_variable_with_our_prefix_is_a_setting(path: Path) -> None:
    environment = images(path)[-1].environment()
    ours = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in environment.items() if ENV_PREFIX in name}
    assert ours.keys() <= Settings.model_fields.keys()
    Settings(**ours)


@every_dockerfile
def test_no_runtime_reports_its_use_to_its_maker(path: Path) -> None:
    assert images(path)[-1].environment()["ORT_DISABLE_TELEMETRY"] == "1"


def test_the_gateway_listens_on_the_ports_that_it_exposes_for_others_to_reach() -> None:
    image = read_dockerfile(ROOT / "docker" / "gateway.Dockerfile")[-1]
    environment = image.environment()
    assert environment["ONEPEACE_HOST"] == "0.0.0.0"
    assert [environment["ONEPEACE_PORT"], environment["ONEPEACE_GRPC_PORT"]] == image.last("EXPOSE").split()
