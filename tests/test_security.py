"""SECURITY.md: the floors that it names are those of pyproject.toml, and every lock keeps to them."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.docker.dockerfile import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
FLOORS = {name: Version(version) for name, version in re.findall(r"^\| ([\w-]+) \| (\d[\d.]*) \| ", PAGE, re.MULTILINE)}
LOCKS = ("requirements.lock", "docker/gateway.lock", "docker/export.lock")


def pinned(lock: str) -> dict[str, Version]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


def required() -> dict[str, list[Requirement]]:
    lines = chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    found: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, lines):
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_page_names_the_packages_that_read_what_callers_send() -> None:
    assert {"h11", "onnx", "orjson", "pillow", "python-multipart", "starlette"} <= FLOORS.keys()


@pytest.mark.parametrize("package", FLOORS)
def test_no_requirement_lets_a_version_below_its_floor_in(package: str) -> None:
    requirements = required()[package]
    for requirement in requirements:
        floors = [Version(one.version) for one in requirement.specifier if one.operator in (">=", "==", "~=")]
        assert floors, f"{requirement} has no floor"
        assert max(floors) >= FLOORS[package], str(requirement)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_keeps_to_the_floors(lock: str) -> None:
    versions = pinned(lock)
    below = {name: str(versions[name]) for name in FLOORS.keys() & versions.keys() if versions[name] < FLOORS[name]}
    assert not below
    assert len(FLOORS.keys() & versions.keys()) > 5


def test_the_licences_are_those_of_what_the_gateway_installs() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) +\| (\S+) +\| (.+?) +\|$", page, re.MULTILINE)[1:]
    listed = {canonicalize_name(name): Version(version) for name, version, _ in rows if version != "Version"}
    installed = pinned("docker/gateway.lock")
    assert listed == installed
    assert all(licence not in ("", "UNKNOWN") for _, _, licence in rows)
