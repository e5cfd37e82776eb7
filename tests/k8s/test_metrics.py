"""What scales, what alerts and what is shown asks for series that exist; copies are those of their sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.k8s.manifests import K8S, ROOT, build, copied, of_kind, selects
from tests.service.live_server import LiveServer

promql = pytest.importorskip("promql_parser", reason="needs promql-parser, of the extra `dev`")
TRITON_SERIES = {"nv_inference_queue_duration_us"}
TARGET_LABELS = {"namespace", "pod"}
"""What Prometheus adds to every series of a ServiceMonitor."""


def adapter_rules() -> dict[str, dict[str, Any]]:
    """Rules of prometheus-adapter, by the name that a HorizontalPodAutoscaler asks for."""
    values = yaml.safe_load((K8S / "prometheus-adapter" / "values.yaml").read_text())
    return {rule["name"]["as"]: rule for rule in values["rules"]["custom"]}


def selectors(expression: str) -> list[Any]:
    """The series that an expression asks for."""
    found: list[Any] = []

    def walk(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
            child = getattr(node, name, None)
            if child is not None and not isinstance(child, str | float | int):
                walk(child)
        for child in getattr(node, "args", None) or []:
            walk(child)

    walk(promql.parse(expression))
    return found


@pytest.fixture(scope="module")
def live(default_server: LiveServer) -> set[str]:
    """Names of the series of a running gateway that has answered a request."""
    httpx.post(default_server.url + "/embed", json={"inputs": [{"text": "a cow"}]}).raise_for_status()
    families = list(text_string_to_metric_families(httpx.get(default_server.url + "/metrics").text))
    counted = {f"{family.name}_total" for family in families if family.type == "counter"}  # some have no samples yet
    return counted | {name for family in families for name in (family.name, *(one.name for one in family.samples))}


def test_a_pod_metric_that_a_scaler_asks_for_is_made_by_the_adapter() -> None:
    asked = {
        metric["pods"]["metric"]["name"]
        for scaler in of_kind(build("overlays/gpu"), "HorizontalPodAutoscaler").values()
        for metric in scaler["spec"]["metrics"]
        if metric["type"] == "Pods"
    }
    assert asked == adapter_rules().keys()


def test_the_adapter_asks_for_series_that_exist(live: set[str]) -> None:
    for rule in adapter_rules().values():
        (selector,) = selectors(rule["seriesQuery"])
        assert selector.name in live | TRITON_SERIES
        assert {matcher.name for matcher in selector.matchers.matchers} <= TARGET_LABELS
        filled = rule["metricsQuery"].replace("<<.Series>>", selector.name).replace("<<.GroupBy>>", "pod")
        assert selectors(filled.replace("<<.LabelMatchers>>", 'namespace="onepeace"'))


def test_keda_asks_for_series_that_exist(live: set[str]) -> None:
    objects = of_kind(build("overlays/keda"), "ScaledObject")
    for one in objects.values():
        (trigger,) = one["spec"]["triggers"]
        (selector,) = selectors(trigger["metadata"]["query"])
        assert selector.name in live | TRITON_SERIES
        (matcher,) = selector.matchers.matchers
        assert (matcher.name, matcher.value) == ("namespace", one["metadata"]["namespace"])


@pytest.mark.parametrize("name", ["example", "next/service"])
def test_keda_asks_for_the_namespace_of_an_overlay_that_goes_elsewhere(name: str, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    changes = {
        "  # - ../components/keda ": "  - ../components/keda  #",
        "namespace: onepeace\n": "namespace: elsewhere\n",
    }
    objects = copied(mine, "example", changes)
    if name != "example":
        objects = copied(other, name, {"../../example": "../mine"})
    (space,) = of_kind(objects, "Namespace")
    assert space == ("elsewhere" if name == "example" else "onepeace-next")
    queries = [one["spec"]["triggers"][0]["metadata"]["query"] for one in of_kind(objects, "ScaledObject").values()]
    assert len(queries) == 2
    assert all(f'{{namespace="{space}"}}' in query for query in queries)


def test_one_service_of_a_cluster_has_rules_and_a_dashboard_for_all() -> None:
    kept = {name: of_kind(build(name), "PrometheusRule", "ConfigMap").keys() for name in ("example", "next/service")}
    assert {"onepeace", "onepeace-dashboard"} <= kept["example"]
    assert not {"onepeace", "onepeace-dashboard"} & kept["next/service"]
    assert of_kind(build("next/service"), "ServiceMonitor")


def test_keda_scales_as_far_and_as_soon_as_the_autoscalers_that_it_replaces() -> None:
    scalers = of_kind(build("overlays/gpu"), "HorizontalPodAutoscaler")
    objects = of_kind(build("overlays/keda"), "ScaledObject")
    assert objects.keys() == scalers.keys()
    for name, one in objects.items():
        spec, replaced = one["spec"], scalers[name]["spec"]
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (replaced["minReplicas"], replaced["maxReplicas"])
        assert spec["triggers"][0]["metadata"]["threshold"] == replaced["metrics"][0]["pods"]["target"]["averageValue"]


def test_every_alert_asks_for_series_of_the_service(live: set[str]) -> None:
    (rule,) = of_kind(build("overlays/monitoring"), "PrometheusRule").values()
    expressions = [one["expr"] for group in rule["spec"]["groups"] for one in group["rules"]]
    assert expressions
    recorded = {one["record"] for group in rule["spec"]["groups"] for one in group["rules"] if "record" in one}
    asked = {selector.name for expression in expressions for selector in selectors(expression)}
    only_with_triton_or_tls = {
        name for name in asked if name.startswith(("onepeace_engine_", "nv_", "onepeace_certificate_"))
    }
    assert asked - only_with_triton_or_tls <= live | recorded


def test_the_rules_are_those_of_prometheus() -> None:
    (rule,) = of_kind(build("overlays/monitoring"), "PrometheusRule").values()
    source = yaml.safe_load((ROOT / "docker" / "prometheus" / "rules" / "onepeace.yml").read_text())
    assert rule["spec"] == source, "run `make manifests`"


def test_the_dashboard_is_that_of_grafana() -> None:
    board = of_kind(build("overlays/monitoring"), "ConfigMap")["onepeace-dashboard"]
    source = (ROOT / "docker" / "grafana" / "dashboard.json").read_text()
    assert json.loads(board["data"]["onepeace.json"]) == json.loads(source), "run `make manifests`"
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_each_monitor_finds_one_port_that_serves_metrics() -> None:
    objects = build("overlays/monitoring")
    monitors = of_kind(objects, "ServiceMonitor")
    for monitor in monitors.values():
        services = of_kind(objects, "Service").values()
        labels = monitor["spec"]["selector"]["matchLabels"]
        found = [one for one in services if selects(labels, one["metadata"]["labels"])]
        (endpoint,) = monitor["spec"]["endpoints"]
        ports = [port for one in found for port in one["spec"]["ports"] if port["name"] == endpoint["port"]]
        assert len(ports) == 1, monitor["metadata"]["name"]
        assert endpoint["path"] == "/metrics"
