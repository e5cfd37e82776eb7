"""Objects of the Gateway API, KEDA and the Prometheus operator against types made from their published schemas."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.k8s.manifests import ROOT, Object, build, built_with
from tests.k8s.test_builds import is_custom

PACKAGES = ROOT / ".venv" / "k8s" / "node_modules"
PACKAGE_OF = {
    "gateway.networking.k8s.io": "gateway-api",
    "keda.sh": "keda",
    "monitoring.coreos.com": "prometheus-operator",
}
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext")


def complaints(objects: list[Object], folder: Path) -> str:
    """What TypeScript says of the objects as literals of their types: unknown, missing and wrong fields."""
    compiler = PACKAGES / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip("needs `make k8s-check`")
    lines = []
    for number, one in enumerate(objects):
        package = PACKAGE_OF[one["apiVersion"].partition("/")[0]]
        path = f"@kubernetes-models/{package}/{one['apiVersion']}/{one['kind']}"
        lines += [
            f'import {{ I{one["kind"]} as T{number} }} from "{path}";',
            f"const x{number}: T{number} = {json.dumps(one)};",
        ]
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "check.ts").write_text("\n".join(lines))
    return subprocess.run(
        [compiler, *OPTIONS, "check.ts"], cwd=folder, capture_output=True, text=True, check=False
    ).stdout


def custom_objects(folder: Path) -> list[Object]:
    folder.mkdir()
    objects = [*build("overlays/keda"), *build("overlays/monitoring"), *built_with(folder, "gateway-api")]
    return [one for one in objects if is_custom(one)]


def test_every_custom_resource_fits_its_type(tmp_path: Path) -> None:
    objects = custom_objects(tmp_path / "overlay")
    assert {one["kind"] for one in objects} == {
        "Gateway",
        "HTTPRoute",
        "GRPCRoute",
        "ScaledObject",
        "ServiceMonitor",
        "PrometheusRule",
    }
    assert complaints(objects, tmp_path) == ""


def test_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    one = next(one for one in custom_objects(tmp_path / "overlay") if one["kind"] == "ScaledObject")
    wrong = {**one, "spec": {**one["spec"], "minReplicas": 2}}
    assert "minReplicas" in complaints([wrong], tmp_path)
