"""Prometheus and Grafana ask only for what the service exposes, where compose lets them reach it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.batching.batcher import BatchReport
from service.context import Stages
from service.engine.triton.breaker import BreakerState
from service.metrics import Metrics
from tests.docker.dockerfile import ROOT, read_dockerfile
from tests.docker.test_compose import seconds, triton_flag

promql = pytest.importorskip("promql_parser", reason="needs promql-parser, of the extra `dev`")
GRAFANA = ROOT / "docker" / "grafana"
PROMETHEUS = ROOT / "docker" / "prometheus"
DASHBOARD = json.loads((GRAFANA / "dashboard.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / "docker" / path).read_text())


def parsed(expression: str) -> Any:
    """Grafana fills its own variables in before Prometheus sees the expression."""
    return promql.parse(expression.replace("$__rate_interval", "1m").replace("$endpoint", ".*"))


def parts(node: Any) -> Iterator[Any]:
    """An expression and all that it holds."""
    yield node
    inner = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param")]
    for child in [*inner, *(getattr(node, "args", None) or [])]:
        if child is not None and not isinstance(child, str | float | int):
            yield from parts(child)


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """The labels of every series of a service that was used."""
    metrics = Metrics()
    stages = Stages()
    metrics.request_ended("/embed", 200, 0.1, stages)
    metrics.errors.labels("queue_full").inc()
    metrics.batch_ran(BatchReport("text", 1, 1, 0, 0.1))
    metrics.call_ended("text", "ok", 0.1)
    metrics.call_retried("text")
    metrics.breaker_changed("triton:8001", "text", BreakerState.OPEN)
    metrics.watch_queue("text", lambda: 0)
    families = text_string_to_metric_families(metrics.render().decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def test_a_dashboard_is_there_to_test() -> None:
    assert len(EXPRESSIONS) >= len(DASHBOARD["panels"]) > 0


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_panel_shows_series_and_labels_that_exist(expression: str, exposed: dict[str, set[str]]) -> None:
    nodes = list(parts(parsed(expression)))
    selectors = [node for node in nodes if isinstance(node, promql.VectorSelector)]
    assert selectors, "no series in it"
    used = {matcher.name for selector in selectors for matcher in selector.matchers.matchers}
    used |= {label for node in nodes for label in getattr(getattr(node, "modifier", None), "labels", None) or []}
    for selector in selectors:
        assert used <= exposed[selector.name], selector.name


def test_every_series_of_the_service_is_on_the_dashboard(exposed: dict[str, set[str]]) -> None:
    shown = {
        node.name for text in EXPRESSIONS for node in parts(parsed(text)) if isinstance(node, promql.VectorSelector)
    }
    families = {name.removesuffix("_total").removesuffix("_created") for name in exposed}
    families = {name.rsplit("_", 1)[0] if name.endswith(("_bucket", "_sum", "_count")) else name for name in families}
    assert {family for family in families if not any(name.startswith(family) for name in shown)} == set()


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_prometheus_scrapes_every_gateway(services: dict[str, Any]) -> None:
    (job,) = load("prometheus/prometheus.yml")["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    for name in ("gateway-cpu", "gateway-gpu"):
        assert found["names"] == services[name]["networks"]["monitoring"]["aliases"]
    image = read_dockerfile(ROOT / "docker" / "gateway.Dockerfile")[-1]
    assert str(found["port"]) == image.last("EXPOSE").split()[0]


def test_prometheus_scrapes_triton_where_its_metrics_are() -> None:
    (job,) = load("prometheus/triton.yml")["scrape_configs"]
    assert job["dns_sd_configs"] == [{"names": ["triton"], "type": "A", "port": int(triton_flag("metrics-port"))}]


def test_grafana_finds_prometheus_and_the_dashboard(services: dict[str, Any]) -> None:
    (source,) = load("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["uid"] == "prometheus"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    interval = load("prometheus/prometheus.yml")["global"]["scrape_interval"]
    assert seconds(source["jsonData"]["timeInterval"]) == seconds(interval)
    (provider,) = load("grafana/provisioning/dashboards/onepeace.yml")["providers"]
    targets = {mount["target"] for mount in services["grafana"]["volumes"]}
    assert f"{provider['options']['path']}/dashboard.json" in targets
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in targets
    assert "monitoring" in services["prometheus"]["networks"].keys() & services["grafana"]["networks"].keys()
