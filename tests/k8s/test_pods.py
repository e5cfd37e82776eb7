"""What every pod must be, whatever it runs: confined, bounded, without rights; and all that it names exists."""

from __future__ import annotations

import re

import pytest

from tests.docker.dockerfile import ROOT, read_dockerfile
from tests.k8s.manifests import BUILDS, Pod, of_kind, pods

IMAGE_FILES = {
    "onepeace-gateway": "gateway",
    "onepeace-model": "gateway",
    "onepeace-triton": "triton",
    "onepeace-export": "export",
}


@pytest.fixture(params=BUILDS)
def every_pod(request: pytest.FixtureRequest) -> list[Pod]:
    """All pods of one build."""
    found = list(pods(request.param))
    assert found
    return found


def test_a_pod_can_neither_write_its_image_nor_gain_rights(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_pod_runs_as_the_user_of_its_image(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        names = {re.split("[:@]", container["image"].rpartition("/")[2])[0] for container in pod.containers}
        for name in names & IMAGE_FILES.keys():
            user = read_dockerfile(ROOT / "docker" / f"{IMAGE_FILES[name]}.Dockerfile")[-1].last("USER")
            context = pod.spec["securityContext"]
            assert f"{context['runAsUser']}:{context['runAsGroup']}" == user


def test_a_pod_has_an_account_of_its_own_without_a_token(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        account = of_kind(pod.objects, "ServiceAccount")[pod.spec["serviceAccountName"]]
        assert account["automountServiceAccountToken"] is False
        assert pod.spec["automountServiceAccountToken"] is False


def test_services_put_no_variables_into_a_pod(every_pod: list[Pod]) -> None:
    assert all(pod.spec["enableServiceLinks"] is False for pod in every_pod), "ONEPEACE_PORT would be tcp://…"


def test_a_container_has_requests_and_limits(every_pod: list[Pod]) -> None:
    for container in (container for pod in every_pod for container in pod.containers):
        resources = container["resources"]
        for part in ("requests", "limits"):
            assert {"cpu", "memory"} <= resources[part].keys(), container["name"]
        gpus = [resources[part].get("nvidia.com/gpu") for part in ("requests", "limits")]
        assert gpus[0] == gpus[1], "a GPU can't be promised in part"


def test_a_pod_that_asks_for_a_gpu_says_on_which_nodes_and_bears_their_taint(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        asks = any("nvidia.com/gpu" in container["resources"]["limits"] for container in pod.containers)
        bears = any(one["key"] == "nvidia.com/gpu" for one in pod.spec.get("tolerations", []))
        chooses = any(label.startswith("nvidia.com/gpu.") for label in pod.spec.get("nodeSelector", {}))
        assert asks == bears == chooses


def test_a_mount_has_its_volume_and_a_volume_its_source(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        mounted = {mount["name"] for container in pod.containers for mount in container["volumeMounts"]}
        assert mounted == volumes.keys()
        maps = of_kind(pod.objects, "ConfigMap")
        for volume in volumes.values():
            assert len(volume) == 2, "a name and one source"
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"]


def test_a_script_that_a_command_names_is_mounted(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        maps = of_kind(pod.objects, "ConfigMap")
        sources = {volume["name"]: volume.get("configMap", {}).get("name") for volume in pod.spec["volumes"]}
        for container in pod.containers:
            places = {mount["mountPath"]: sources[mount["name"]] for mount in container["volumeMounts"]}
            text = " ".join(container.get("command", []))
            for folder, file in re.findall(r"(/scripts|/files)/([\w.-]+)", text):
                assert file in maps[places[folder]]["data"]


def test_a_release_is_mounted_from_the_volume_that_jobs_fill(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        for container in pod.containers:
            for mount in (mount for mount in container["volumeMounts"] if "subPathExpr" in mount):
                assert mount["subPathExpr"] == "$(MODEL_RELEASE)"
                assert mount["readOnly"] is True
                assert pod.config(container)["MODEL_RELEASE"]
