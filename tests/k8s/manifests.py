"""k8s/ as Kustomize builds it, and how to find one's way in the objects."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("cpu-embedded", "dev", "gpu", "keda", "monitoring")
JOBS = ("export", *(f"engines/{path.name}" for path in sorted((K8S / "jobs" / "engines").glob("sm*"))))
NEXT = ("next/service", "next/export")
BUILDS = ("example", *NEXT, *(f"overlays/{name}" for name in OVERLAYS), *(f"jobs/{name}" for name in JOBS))
WORKLOADS = ("Deployment", "Job")
Object = dict[str, Any]


def kustomize() -> list[str]:
    """The command that builds a folder; the test is skipped where there is none."""
    if (found := shutil.which("kubectl")) is not None:
        return [found, "kustomize"]
    if (found := shutil.which("kustomize")) is not None:
        return [found, "build"]
    pytest.skip("needs kubectl (1.30 or newer) or kustomize (5 or newer)")


@functools.cache
def build(folder: str) -> list[Object]:
    """The objects of a folder below k8s/.

    Raises:
        AssertionError: Kustomize refuses it, or complains.
    """
    return built(K8S / folder)


def built(folder: Path) -> list[Object]:
    """The same of any folder."""
    result = subprocess.run([*kustomize(), str(folder)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not result.stderr, result.stderr
    return [*yaml.safe_load_all(result.stdout)]


def built_with(folder: Path, *components: str, base: str = "overlays/gpu") -> list[Object]:
    """An overlay with components that no overlay has, written into an empty folder and built."""
    below = {name: os.path.relpath(K8S / name, folder) for name in (base, *(f"components/{one}" for one in components))}
    text = {"resources": [below.pop(base)], "components": list(below.values())}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(text))
    return built(folder)


def copied(folder: Path, name: str, changes: dict[str, str]) -> list[Object]:
    """An overlay with changed words, written into an empty folder and built.

    Raises:
        AssertionError: it has not each of the words once.
    """
    text = (K8S / name / "kustomization.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    up = "../" * len(Path(name).parts)
    (folder / "kustomization.yaml").write_text(text.replace(up, f"{os.path.relpath(K8S, folder)}/"))
    return built(folder)


def of_kind(objects: list[Object], *kinds: str) -> dict[str, Object]:
    """Objects of some kinds, by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] in kinds}


@dataclass(frozen=True)
class Pod:
    """The template of a workload, with all that its build has beside it."""

    name: str
    template: Object
    objects: list[Object]

    @property
    def spec(self) -> Object:
        spec: Object = self.template["spec"]
        return spec

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def containers(self) -> list[Object]:
        """Those of the start, too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def main(self) -> Object:
        (container,) = self.spec["containers"]
        found: Object = container
        return found

    def container(self, name: str) -> Object:
        return next(one for one in self.containers if one["name"] == name)

    def config(self, container: Object) -> dict[str, str]:
        """The environment that the manifests give a container."""
        maps = of_kind(self.objects, "ConfigMap")
        values: dict[str, str] = {}
        for source in container.get("envFrom", []):
            values |= maps[source["configMapRef"]["name"]]["data"]
        for variable in container.get("env", []):
            if "value" in variable:
                values[variable["name"]] = variable["value"]
            else:
                key = variable["valueFrom"]["configMapKeyRef"]
                values[variable["name"]] = maps[key["name"]]["data"][key["key"]]
        return values


def pods(folder: str) -> Iterator[Pod]:
    """Every workload of a build."""
    yield from pods_of(build(folder))


def pods_of(objects: list[Object]) -> Iterator[Pod]:
    """Every workload among some objects."""
    for name, one in of_kind(objects, *WORKLOADS).items():
        yield Pod(name, one["spec"]["template"], objects)


def pod(folder: str, name: str) -> Pod:
    """One of them."""
    return next(one for one in pods(folder) if one.name == name)


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether `matchLabels` (or a Service's selector) fits; an empty one fits all."""
    return selector.items() <= labels.items()
