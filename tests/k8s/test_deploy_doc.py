"""docs/deploy.md names files that exist, folders that can be applied, and objects and settings that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.settings import ENV_PREFIX, Settings
from tests.k8s.manifests import BUILDS, K8S, OVERLAYS, ROOT, build, built_with

TEXT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
OWN = "k8s/mine"
"""The reader's copy of k8s/example."""
PATHS = sorted({path.rstrip("./") for path in re.findall(r"(?<![\w/.])(?:k8s|docker|docs|tests)/[\w./$-]+", TEXT)})


def test_paths_are_found_in_the_page() -> None:
    assert len(PATHS) > 20


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    if "$image" in path:
        for image in ("gateway", "triton", "export"):
            assert (ROOT / path.replace("$image", image)).is_file()
    else:
        assert (ROOT / path.replace(OWN, "k8s/example")).exists()


@pytest.mark.parametrize("folder", sorted(set(re.findall(r"apply -k (\S+)", TEXT.replace("`", " ").replace(",", " ")))))
def test_a_folder_that_is_applied_can_be_built(folder: str) -> None:
    name = folder.replace(OWN, "k8s/example").removeprefix("k8s/").rstrip(".;")
    assert name in BUILDS
    assert build(name)


def test_every_overlay_component_and_job_is_in_the_page() -> None:
    components = {path.name for path in (K8S / "components").iterdir()} - {"scripts"}
    jobs = {path.name for path in K8S.glob("jobs/engines/sm*")}
    assert all(f"`{name}`" in TEXT for name in components | set(OVERLAYS))
    assert all(f"k8s/jobs/engines/{name}" in TEXT for name in jobs)


def test_objects_that_commands_name_are_built() -> None:
    objects = [one for folder in BUILDS for one in build(folder)]
    known = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in objects}
    named = set(re.findall(r"\b(?:deployment|service|job)/onepeace[\w-]*", TEXT))
    assert named
    assert named <= known


def secrets_of(node: Any) -> set[str]:
    """Names of the Secrets that an object takes, wherever it says so."""
    if isinstance(node, list):
        return set().union(*map(secrets_of, node))
    if not isinstance(node, dict):
        return set()
    own = {node["secretName"]} if "secretName" in node else set()
    listed = {one["name"] for one in node.get("certificateRefs", [])}
    return own | listed | secrets_of([*node.values()])


def test_every_secret_that_an_object_takes_is_in_the_page(tmp_path: Path) -> None:
    taken = secrets_of(built_with(tmp_path, "gateway-api", "ingress", "api-keys", "tls"))
    assert taken == {"onepeace-gateway-tls", "onepeace-ingress-tls", "onepeace-api-keys", "onepeace-tls"}
    assert {name for name in taken if name not in TEXT} == set()


def test_a_repository_is_added_before_a_chart_of_it_is_installed() -> None:
    for line in re.findall(r"^helm install .*", TEXT, re.MULTILINE):
        repository = line.split()[3].partition("/")[0]
        assert f"helm repo add {repository} " in TEXT.partition(line)[0]


def test_settings_that_it_names_exist() -> None:
    for name in re.findall(rf"{ENV_PREFIX}(\w+)", TEXT):
        assert name.lower() in Settings.model_fields
