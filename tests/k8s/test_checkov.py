"""Checkov's rules for Kubernetes. Those that are not kept are listed with their reason."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.k8s.manifests import BUILDS, ROOT, build

CHECKOV = ROOT / ".venv" / "k8s" / "bin" / "checkov"
EXCEPTIONS = {
    "CKV_K8S_43": "digests are the registry's: who deploys pins them (docs/deploy.md); here are tags of this version",
    "CKV_K8S_15": "IfNotPresent: with a digest the node's copy is the image, and it starts when the registry is away",
    "CKV_K8S_40": "Triton runs as 1000, the user of NVIDIA's image, which owns its folders",
}


def failed(folder: Path) -> set[str]:
    """Names of the rules that the files of a folder break."""
    command = [
        CHECKOV,
        "--framework",
        "kubernetes",
        "--directory",
        folder,
        "--output",
        "json",
        "--skip-download",
        "--quiet",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(result.stdout)
    assert report["summary"]["passed"] > 0, "nothing was checked"
    return {one["check_id"] for one in report["results"]["failed_checks"]}


@pytest.fixture(autouse=True)
def needs_checkov() -> None:
    if not CHECKOV.exists():
        pytest.skip("needs `make k8s-check`")


def test_exactly_the_listed_rules_are_not_kept(tmp_path: Path) -> None:
    for name in BUILDS:
        (tmp_path / f"{name.replace('/', '-')}.yaml").write_text(yaml.safe_dump_all(build(name)))
    assert failed(tmp_path) == EXCEPTIONS.keys()


def test_a_privileged_container_is_found(tmp_path: Path) -> None:
    objects = build("overlays/dev")
    (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
    text = json.dumps(deployment).replace('"allowPrivilegeEscalation": false', '"privileged": true')
    (tmp_path / "wrong.yaml").write_text(text)
    assert failed(tmp_path) - EXCEPTIONS.keys()
