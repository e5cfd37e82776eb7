"""docker-compose.yml: confined, bounded, checked, and ended in the right order. Read by Compose itself."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from export.target import ENGINE_CACHE
from service import __version__
from service.engine.triton.channel import CHANNEL_ARGUMENTS
from service.server import ACCEPT_REST_S, SILENT_CONNECTION_S
from service.settings import ENV_PREFIX, Settings
from tests.docker.conftest import compose_config
from tests.docker.dockerfile import ROOT, read_dockerfile
from tests.docker.memory import most_bytes

SERVICES = ("gateway-cpu", "gateway-gpu", "triton", "prometheus", "grafana")
GATEWAYS = ("gateway-cpu", "gateway-gpu")
TRITON = read_dockerfile(ROOT / "docker" / "triton.Dockerfile")[-1]
every_service = pytest.mark.parametrize("name", SERVICES)
every_gateway = pytest.mark.parametrize("name", GATEWAYS)


def triton_flag(name: str) -> str:
    return next(word.partition("=")[2] for word in TRITON.command() if word.startswith(f"--{name}="))


def seconds(duration: str) -> float:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def settings_of(service: dict[str, Any]) -> Settings:
    image = read_dockerfile(ROOT / "docker" / "gateway.Dockerfile")[-1]
    variables = image.environment() | service["environment"]
    ours = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in variables.items() if ENV_PREFIX in name}
    assert ours.keys() <= Settings.model_fields.keys()
    return Settings(**ours)


def test_the_profiles_hold_what_they_say(services: dict[str, Any]) -> None:
    profiles = {name: service["profiles"] for name, service in services.items()}
    assert profiles == {
        "gateway-cpu": ["cpu"],
        "gateway-gpu": ["gpu"],
        "triton": ["gpu"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


@every_service
def test_a_service_can_neither_write_its_image_nor_gain_rights(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]


@every_service
def test_a_service_has_bounds_on_memory_cores_processes_and_logs(services: dict[str, Any], name: str) -> None:
    limits = services[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert services[name]["logging"]["options"].keys() == {"max-size", "max-file"}


@every_service
def test_a_service_has_a_health_check_that_waits_for_its_start(services: dict[str, Any], name: str) -> None:
    check = services[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert "curl" not in check["test"]
    assert seconds(check["timeout"]) < seconds(check["interval"]) < seconds(check["start_period"])


@every_service
def test_no_service_runs_as_root_or_follows_a_moving_tag(services: dict[str, Any], name: str) -> None:
    service = services[name]
    if "build" in service:  # then the tests of the Dockerfiles know its user and its base
        assert "user" not in service
        assert service["image"].endswith(f":{__version__}")
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    else:
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])


@every_service
def test_every_mounted_file_exists_and_is_read_only(services: dict[str, Any], name: str) -> None:
    for mount in services[name]["volumes"]:
        if mount["type"] == "bind":
            assert mount["read_only"] is True
            assert ROOT.joinpath(mount["source"]).exists()


def test_what_is_published_is_published_on_this_machine_only(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {*GATEWAYS, "grafana"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_the_gateway_publishes_both_of_its_ports(services: dict[str, Any]) -> None:
    exposed = read_dockerfile(ROOT / "docker" / "gateway.Dockerfile")[-1].last("EXPOSE").split()
    for name in GATEWAYS:
        assert [str(port["target"]) for port in services[name]["ports"]] == exposed


def test_only_the_gateway_reaches_triton() -> None:
    config = compose_config()
    triton = config["services"]["triton"]
    assert "ports" not in triton
    assert list(triton["networks"]) == ["inference"]
    assert config["networks"]["inference"]["internal"] is True
    beside = {name for name, service in config["services"].items() if "inference" in service["networks"]}
    assert beside == {"triton", "gateway-gpu"}


def test_prometheus_joins_triton_only_where_asked_to() -> None:
    config = compose_config("docker-compose.yml", "docker/compose.triton-metrics.yml")
    assert set(config["services"]["prometheus"]["networks"]) == {"monitoring", "inference"}
    assert config["services"]["prometheus"]["read_only"] is True


@every_gateway
def test_every_variable_is_a_setting_with_a_valid_value(services: dict[str, Any], name: str) -> None:
    settings_of(services[name])


def test_the_gateway_asks_triton_where_it_listens(services: dict[str, Any]) -> None:
    settings = settings_of(services["gateway-gpu"])
    assert settings.model_dump()["triton_url"] == f"triton:{triton_flag('grpc-port')}"
    assert settings.engine == "triton"
    assert services["gateway-gpu"]["depends_on"]["triton"]["condition"] == "service_healthy"


def test_the_engine_starts_no_more_threads_than_it_has_cores(services: dict[str, Any]) -> None:
    for given in ({}, {"GATEWAY_CPUS": "7"}):
        service = compose_config(**given)["services"]["gateway-cpu"]
        cores = service["deploy"]["resources"]["limits"]["cpus"]
        assert settings_of(service).engine_cores() == settings_of(service).decode_cores() == cores


@every_gateway
def test_memory_holds_the_service_all_bodies_that_it_admits_and_what_decodes_them(
    services: dict[str, Any], name: str
) -> None:
    assert int(services[name]["deploy"]["resources"]["limits"]["memory"]) >= most_bytes(settings_of(services[name]))


@every_gateway
def test_the_gateway_is_not_killed_before_it_has_drained(services: dict[str, Any], name: str) -> None:
    settings = settings_of(services[name])
    longest = settings.drain_s + ACCEPT_REST_S + SILENT_CONNECTION_S + max(1, round(settings.grace_s))
    assert seconds(services[name]["stop_grace_period"]) > longest


def test_triton_outlives_every_request_that_the_gateway_may_still_wait_for(services: dict[str, Any]) -> None:
    waits = float(triton_flag("exit-timeout-secs"))
    assert waits >= settings_of(services["gateway-cpu"]).deadline_ms / 1000
    assert seconds(services["triton"]["stop_grace_period"]) > waits


def test_triton_lets_the_gateway_ping_as_often_as_it_does() -> None:
    pause_ms = dict(CHANNEL_ARGUMENTS)["grpc.keepalive_time_ms"]
    assert int(triton_flag("grpc-http2-min-recv-ping-interval-without-data")) < pause_ms


def test_triton_has_a_gpu_and_changes_no_model_at_run_time(services: dict[str, Any]) -> None:
    devices = services["triton"]["deploy"]["resources"]["reservations"]["devices"]
    assert [device["capabilities"] for device in devices] == [["gpu"]]
    assert triton_flag("model-control-mode") == "none"
    (models,) = [mount for mount in services["triton"]["volumes"] if mount["type"] == "bind"]
    assert models["target"] == triton_flag("model-repository")


def test_triton_can_keep_the_engines_that_it_builds(services: dict[str, Any]) -> None:
    kept = [mount["target"] for mount in services["triton"]["volumes"] if mount["type"] == "volume"]
    assert kept == [ENGINE_CACHE]
    assert f"install -d -o 1000 -g 1000 {ENGINE_CACHE}" in (ROOT / "docker" / "triton.Dockerfile").read_text()


def test_triton_s_health_is_asked_where_only_its_container_can(services: dict[str, Any]) -> None:
    assert triton_flag("http-address") == "127.0.0.1"
    assert triton_flag("http-port") in json.dumps(services["triton"]["healthcheck"]["test"])
    assert triton_flag("metrics-address") == "0.0.0.0", "left out, it would follow http-address"
