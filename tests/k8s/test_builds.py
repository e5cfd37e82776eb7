"""Every folder that someone may apply is built by Kustomize and fits the API's own schemas."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from service import __version__
from tests.docker.dockerfile import ROOT, read_dockerfile
from tests.k8s.manifests import BUILDS, JOBS, K8S, NEXT, OVERLAYS, build, built_with, of_kind, pods

VERSIONS = ("1.30", "1.37")
"""The oldest that docs/deploy.md names (preStop's sleep), and the newest with schemas."""
COMPONENT = "app.kubernetes.io/component"
CUSTOM_GROUPS = ("gateway.networking.k8s.io", "keda.sh", "monitoring.coreos.com")
every_build = pytest.mark.parametrize("folder", BUILDS)


def is_custom(one: dict[str, Any]) -> bool:
    return one["apiVersion"].partition("/")[0] in CUSTOM_GROUPS


def test_no_overlay_and_no_job_is_left_out() -> None:
    assert {path.name for path in (K8S / "overlays").iterdir()} == set(OVERLAYS)
    assert {path.parent.name for path in K8S.glob("jobs/**/kustomization.yaml")} == {
        "base",
        *(name.rpartition("/")[2] for name in JOBS),
    }


@functools.cache
def validate(text: str, version: str) -> None:
    """Hold an object, as JSON, against its schema; overlays share most of theirs, and reading a schema takes long."""
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate, of the extra `dev`")
    assert validator.validate(json.loads(text), version, strict=True) == version


@every_build
@pytest.mark.parametrize("version", VERSIONS)
def test_built_objects_fit_the_strict_schemas(folder: str, version: str) -> None:
    for one in build(folder):
        if not is_custom(one):
            validate(json.dumps(one, sort_keys=True), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_no_overlay_has_fits_them_too(version: str, tmp_path: Path) -> None:
    for one in built_with(tmp_path, "ingress", "api-keys", "tls", "onnx-fallback", "tracing", "url-fetch"):
        if not is_custom(one):
            validate(json.dumps(one, sort_keys=True), version)


def test_the_strict_schemas_refuse_a_misspelt_field() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIp": "None"}}
    with pytest.raises(Exception, match="clusterIp"):
        validate(json.dumps(wrong), VERSIONS[-1])


@every_build
def test_no_two_objects_share_a_name(folder: str) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in build(folder)]
    assert len(names) == len(set(names))


@every_build
def test_objects_lie_in_one_namespace(folder: str) -> None:
    spaces = {one["metadata"].get("namespace") for one in build(folder) if one["kind"] != "Namespace"}
    assert spaces == {{"overlays/dev": "onepeace-dev"}.get(folder, "onepeace-next" if folder in NEXT else "onepeace")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_enforces_the_restricted_standard(overlay: str) -> None:
    (space,) = of_kind(build(f"overlays/{overlay}"), "Namespace").values()
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("folder", [folder for folder in BUILDS if folder not in ("example", NEXT[0])])
def test_images_are_those_of_the_dockerfiles_in_this_version(folder: str) -> None:
    triton = read_dockerfile(ROOT / "docker" / "triton.Dockerfile")[-1].base
    allowed = {f"onepeace-{name}:{__version__}" for name in ("gateway", "triton", "export", "model")}
    allowed.add(triton.replace("tritonserver", "tensorrt"))  # a plan fits only the TensorRT of the same release
    found = {container["image"] for one in pods(folder) for container in one.containers}
    assert found <= allowed


def test_what_jobs_need_before_there_are_models_can_be_applied_alone() -> None:
    chosen = [one for one in build("example") if one["metadata"]["labels"].get(COMPONENT) == "foundation"]
    assert {(one["kind"], one["metadata"]["name"]) for one in chosen} == {
        ("Namespace", "onepeace"),
        ("PersistentVolumeClaim", "onepeace-models"),
        ("NetworkPolicy", "default-deny"),
        ("NetworkPolicy", "allow-dns"),
    }
    volumes = [volume for job in JOBS for one in pods(f"jobs/{job}") for volume in one.spec["volumes"]]
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert claims == {"onepeace-models", *of_kind(build("jobs/export"), "PersistentVolumeClaim")}


def test_the_example_pins_every_image_by_digest() -> None:
    images = {container["image"] for one in pods("example") for container in one.containers}
    assert {image.partition("@sha256:")[0].rpartition("/")[2] for image in images} == {
        "onepeace-gateway",
        "onepeace-triton",
    }
    assert all(len(image.partition("@sha256:")[2]) == 64 for image in images)


def test_the_overlays_hold_what_they_say() -> None:
    deployments = {name: set(of_kind(build(f"overlays/{name}"), "Deployment")) for name in OVERLAYS}
    alone, both = {"onepeace-gateway"}, {"onepeace-gateway", "onepeace-triton"}
    assert deployments == {"cpu-embedded": alone, "dev": alone, "gpu": both, "keda": both, "monitoring": both}
    assert not of_kind(build("overlays/keda"), "HorizontalPodAutoscaler"), "KEDA makes its own"
    assert not of_kind(build("overlays/cpu-embedded"), "PersistentVolumeClaim"), "it runs anywhere"
    assert set(of_kind(build("overlays/monitoring"), "ServiceMonitor", "PrometheusRule")) == {
        "onepeace",
        "onepeace-gateway",
        "onepeace-triton",
    }
