"""Triton's pods: found and reached by the gateway alone, asked where it answers, ended after everyone has left."""

from __future__ import annotations

from pathlib import Path

from export.target import ENGINE_CACHE
from service.engine.triton.addresses import parse_urls
from service.engine.triton.engine import RESOLVE_S
from tests.docker.test_compose import TRITON, triton_flag
from tests.k8s.manifests import Pod, build, built_with, of_kind, pod, pods_of
from tests.k8s.test_gateway import GATEWAY, settings_of

NAME = "onepeace-triton"
CLUSTER_DNS_S = 30.0
"""Seconds for which a cluster's DNS may keep an answer: the `ttl` of CoreDNS as kubeadm sets it up."""


def triton() -> Pod:
    return pod("overlays/gpu", NAME)


def test_the_gateway_asks_the_headless_service_where_triton_listens() -> None:
    (place,) = parse_urls(settings_of(pod("overlays/gpu", GATEWAY)).triton_url)
    service = of_kind(build("overlays/gpu"), "Service")[place[0]]
    ports = {port["name"]: port["containerPort"] for port in triton().main["ports"]}
    assert service["spec"]["clusterIP"] == "None"
    assert place[1] == ports["grpc"] == int(triton_flag("grpc-port"))
    assert ports["metrics"] == int(triton_flag("metrics-port"))


def test_readiness_asks_grpc_and_liveness_the_process_on_its_loopback_address() -> None:
    main = triton().main
    port = int(triton_flag("grpc-port"))
    assert main["readinessProbe"]["grpc"]["port"] == main["startupProbe"]["grpc"]["port"] == port
    code = main["livenessProbe"]["exec"]["command"][-1]
    assert f"'{triton_flag('http-address')}', {triton_flag('http-port')}" in code
    assert "/v2/health/live" in code
    compile(code, "liveness", "exec")


def test_gateways_have_let_go_of_an_address_before_its_triton_hears_the_signal() -> None:
    one = triton()
    sleeps_s = one.main["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleeps_s >= CLUSTER_DNS_S + RESOLVE_S
    assert sleeps_s + float(triton_flag("exit-timeout-secs")) < one.spec["terminationGracePeriodSeconds"]


def test_it_has_shared_memory_and_places_to_write_what_it_compiles() -> None:
    one = triton()
    volumes = {volume["name"]: volume for volume in one.spec["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in one.main["volumeMounts"]}
    assert mounts["/dev/shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert TRITON.environment()["CUDA_CACHE_PATH"].startswith("/tmp/")
    assert "emptyDir" in mounts["/tmp"]
    assert "emptyDir" in mounts[ENGINE_CACHE]
    assert triton_flag("model-repository") in mounts


def test_the_fallback_differs_from_the_image_in_one_flag_alone(tmp_path: Path) -> None:
    (one,) = [one for one in pods_of(built_with(tmp_path, "onnx-fallback")) if one.name == NAME]
    assert "command" not in one.main, "NVIDIA's entrypoint stays"
    assert one.main["args"] == [*TRITON.command(), "--model-config-name=onnx"]
