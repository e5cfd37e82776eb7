"""The gateway's pods: settings that exist, probes that mean what they should, time enough to end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.access.scopes import Door, needs_of
from service.server import ACCEPT_REST_S, SILENT_CONNECTION_S
from service.settings import ENV_PREFIX, MIB, Settings
from tests.docker.dockerfile import ROOT, read_dockerfile
from tests.docker.memory import most_bytes
from tests.k8s.manifests import OVERLAYS, Pod, built_with, pod, pods_of

GATEWAY = "onepeace-gateway"
IMAGE = read_dockerfile(ROOT / "docker" / "gateway.Dockerfile")[-1]
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def gateway(overlay: str) -> Pod:
    return pod(f"overlays/{overlay}", GATEWAY)


def settings_of(one: Pod) -> Settings:
    """What the process would read: the image's variables, then the pod's."""
    variables = IMAGE.environment() | one.config(one.main)
    ours = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in variables.items() if ENV_PREFIX in name}
    assert ours.keys() <= Settings.model_fields.keys(), ours.keys() - Settings.model_fields.keys()
    return Settings(**ours)


def probe(one: Pod, name: str) -> tuple[str, int]:
    """Path and port of an HTTP probe."""
    asks = one.main[f"{name}Probe"]["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in one.main["ports"]}
    return asks["path"], ports[asks["port"]]


@every_overlay
def test_every_key_is_a_setting_with_a_valid_value(overlay: str) -> None:
    settings_of(gateway(overlay))


@pytest.mark.parametrize(("component", "setting"), [("api-keys", "api_keys_file"), ("tls", "tls_cert_file")])
def test_keys_of_components_for_access_are_settings_whose_files_are_mounted(
    component: str, setting: str, tmp_path: Path
) -> None:
    (one,) = [one for one in pods_of(built_with(tmp_path, component)) if one.name == GATEWAY]
    folders = {mount["mountPath"] for mount in one.main["volumeMounts"]}
    files = {name: value for name, value in one.config(one.main).items() if name.endswith("_FILE")}
    assert f"{ENV_PREFIX}{setting}".upper() in files
    assert {str(Path(file).parent) for file in files.values()} <= folders
    if setting not in Settings.model_fields:
        pytest.skip(f"this service has no setting {setting} yet")
    settings_of(one)


@every_overlay
def test_ports_and_models_are_where_the_service_looks(overlay: str) -> None:
    one, settings = gateway(overlay), settings_of(gateway(overlay))
    ports = {port["name"]: port["containerPort"] for port in one.main["ports"]}
    assert ports == {"http": settings.port, "grpc": settings.grpc_port}
    assert str(settings.model_repository) in {mount["mountPath"] for mount in one.main["volumeMounts"]}


@every_overlay
def test_startup_and_readiness_ask_for_warm_models_and_liveness_for_the_process(overlay: str) -> None:
    one, port = gateway(overlay), settings_of(gateway(overlay)).port
    assert probe(one, "startup") == probe(one, "readiness") == ("/health/ready", port)
    assert probe(one, "liveness") == ("/health/live", port)


@every_overlay
def test_what_probes_ask_needs_no_key_where_callers_have_one(overlay: str, tmp_path: Path) -> None:
    objects = built_with(tmp_path, "api-keys", base=f"overlays/{overlay}")
    (one,) = [one for one in pods_of(objects) if one.name == GATEWAY]
    settings = settings_of(one)
    assert settings.api_keys_file is not None
    for name in ("startup", "readiness", "liveness"):
        assert "httpHeaders" not in one.main[f"{name}Probe"]["httpGet"], "a key would stand in the manifest"
        assert needs_of(settings).get(probe(one, name)[0]) is Door.OPEN


@every_overlay
def test_the_models_have_minutes_to_be_read_before_the_start_is_given_up(overlay: str) -> None:
    startup = gateway(overlay).main["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 600


@every_overlay
def test_a_pod_is_not_killed_before_it_has_drained(overlay: str) -> None:
    one, settings = gateway(overlay), settings_of(gateway(overlay))
    sleeps_s = one.main["lifecycle"]["preStop"]["sleep"]["seconds"]
    longest_s = sleeps_s + settings.drain_s + ACCEPT_REST_S + SILENT_CONNECTION_S + max(1, round(settings.grace_s))
    assert longest_s < one.spec["terminationGracePeriodSeconds"]


@every_overlay
def test_the_drain_is_long_enough_for_a_probe_to_see_it_and_the_grace_for_the_slowest_answer(overlay: str) -> None:
    one, settings = gateway(overlay), settings_of(gateway(overlay))
    assert settings.drain_s >= one.main["readinessProbe"]["periodSeconds"]
    assert settings.grace_s >= settings.deadline_ms / 1000


@every_overlay
def test_the_engine_and_decoding_start_no_more_threads_than_the_limit_has_cores(overlay: str) -> None:
    one, settings = gateway(overlay), settings_of(gateway(overlay))
    cores = int(one.main["resources"]["limits"]["cpu"])
    assert settings.engine_cores() <= cores
    assert settings.decode_cores() <= cores


@every_overlay
def test_memory_holds_the_service_all_bodies_that_it_admits_and_what_decodes_them(overlay: str) -> None:
    one, settings = gateway(overlay), settings_of(gateway(overlay))
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", one.main["resources"]["limits"]["memory"]).groups()
    limit_bytes = int(number) * {"Mi": MIB, "Gi": 1024 * MIB}[unit]
    assert limit_bytes >= most_bytes(settings)


@every_overlay
def test_grpc_connections_are_renewed(overlay: str) -> None:
    assert 0 < settings_of(gateway(overlay)).grpc_max_connection_age_s <= 600


@every_overlay
def test_a_rollout_takes_no_pod_away_before_the_next_is_ready(overlay: str) -> None:
    (deployment,) = [
        one
        for one in gateway(overlay).objects
        if one["metadata"]["name"] == GATEWAY and "strategy" in one.get("spec", {})
    ]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@every_overlay
def test_pods_are_spread_over_nodes_and_zones(overlay: str) -> None:
    one = gateway(overlay)
    spread = one.spec["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert all(each["labelSelector"]["matchLabels"].items() <= one.labels.items() for each in spread)


def test_only_the_gateway_before_triton_leaves_the_weights_unread() -> None:
    checks = {overlay: gateway(overlay).config(gateway(overlay).container("check-model")) for overlay in OVERLAYS}
    for overlay, config in checks.items():
        engine = settings_of(gateway(overlay)).engine
        assert config["MODEL_CHECK"] == ("small" if engine == "triton" else "all")
