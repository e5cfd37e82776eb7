"""docker/*.lock: what the images install is what is tested here, whole, and by its hash."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docker.dockerfile import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = {"gateway": {"cpu", "otel"}, "export": {"cpu", "export"}}
every_lock = pytest.mark.parametrize("name", EXTRAS)


def text_of(name: str) -> str:
    return (ROOT / "docker" / f"{name}.lock").read_text(encoding="utf-8")


def versions(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def needed(extras: set[str]) -> set[str]:
    """Names of all that the project needs with these extras, and what those need, as installed here."""
    wanted = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    wanted += [Requirement(line) for extra in extras for line in PROJECT["project"]["optional-dependencies"][extra]]
    done: set[str] = set()
    asked: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if str(requirement) in asked:
            continue
        asked.add(str(requirement))
        done.add(name)
        for line in distribution(name).requires or []:
            inner = Requirement(line)
            if any(not inner.marker or inner.marker.evaluate({"extra": extra}) for extra in {"", *requirement.extras}):
                wanted.append(inner)
    return done


@every_lock
def test_versions_are_those_that_are_tested(name: str) -> None:
    tested = versions((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    locked = versions(text_of(name))
    shared = locked.keys() & tested.keys()
    assert shared
    assert {package: locked[package] for package in shared} == {package: tested[package] for package in shared}


def test_the_gateway_lock_has_what_the_gateway_needs_and_nothing_else() -> None:
    assert set(versions(text_of("gateway"))) == needed(EXTRAS["gateway"])


def test_the_export_lock_has_what_export_needs() -> None:
    # PyTorch for the CPU, which is tested, needs less than PyPI's: that one brings CUDA's libraries.
    assert set(versions(text_of("export"))) >= needed(EXTRAS["export"])


def test_the_gateway_has_no_pytorch() -> None:
    assert not {"torch", "triton", "onnx"} & versions(text_of("gateway")).keys()


@pytest.mark.parametrize("name", [*EXTRAS, "build"])
def test_every_entry_has_a_hash_and_no_line_names_a_host(name: str) -> None:
    text = text_of(name)
    entries = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(versions(text))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|index-url|find-links|trusted-host", text)


def test_the_build_lock_has_what_builds_the_project() -> None:
    required = {
        Requirement(line).name: str(Requirement(line).specifier) for line in PROJECT["build-system"]["requires"]
    }
    assert {name: f"=={version}" for name, version in versions(text_of("build")).items()} == required
