"""Prometheus and Grafana ask only for what the service exposes, where compose lets them reach it."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.engine.triton.breaker import BreakerState
from service.metrics import Metrics
from tests.docker.dockerfile import ROOT, read_dockerfile
from tests.docker.test_compose import seconds, triton_flag
from tests.repository import REPOSITORY
from tests.service.live_server import live_server
from tests.service.media_files import encoded, picture

promql = pytest.importorskip("promql_parser", reason="needs promql-parser, of the extra `dev`")
GRAFANA = ROOT / "docker" / "grafana"
PROMETHEUS = ROOT / "docker" / "prometheus"
DASHBOARD = json.loads((GRAFANA / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules" / "onepeace.yml").read_text())["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [*QUERIES, *(rule["expr"] for rule in RULES)]
BY_PROMETHEUS = {"instance", "job", "namespace"}
"""Labels that every series gets where it is scraped, the last by the Prometheus operator alone."""
TRITON = Path(__file__).with_name("triton_metrics.txt")


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


def samples(text: str) -> dict[str, set[str]]:
    """The labels of every series of an exposition; of families without one, the name with none."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for suffix in suffixes:
            found.setdefault(family.name + suffix, set())
        for sample in family.samples:
            # The parser gives Triton's counters, which have no `_total`, one.
            name = sample.name if f"\n{sample.name}" in text else sample.name.removesuffix("_total")
            found.setdefault(name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def live() -> dict[str, set[str]]:
    """What a real server exposes that was used, and Triton's series as a real one had them."""
    with live_server(REPOSITORY) as server, httpx.Client(base_url=server.url, timeout=60.0) as client:
        broken = {"audio": encoded(b"no media")}
        client.post("/embed", json={"inputs": [{"text": "a cow"}, {"image": encoded(picture())}]})
        client.post("/embed", json={"inputs": [broken]})
        exposed = samples(client.get("/metrics").text)
    return exposed | samples(TRITON.read_text())


@pytest.fixture(scope="module")
def exposed(live: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same, with the labels of what a server only reports that asks Triton, has keys or a certificate."""
    metrics = Metrics()
    metrics.call_ended("text", "ok", 0.1)
    metrics.call_retried("text")
    metrics.breaker_changed("triton:8001", "text", BreakerState.OPEN)
    metrics.key_used("search", "accepted")
    metrics.key_charged("search", "accepted", 1)
    metrics.reloaded("keys", "failed")
    metrics.watch_certificate(lambda: 0.0)
    words = ("engine", "key_requests", "key_items", "reloads", "certificate")
    rare = {
        name: labels
        for name, labels in samples(metrics.render()[0].decode()).items()
        if any(word in name for word in words)
    }
    return live | rare | {rule["record"]: set() for rule in RULES if "record" in rule}


def test_a_dashboard_and_rules_are_there_to_test() -> None:
    assert len(QUERIES) >= len(PANELS) > 30
    assert len([rule for rule in RULES if "alert" in rule]) > 10


def test_the_dashboard_is_what_its_tables_say() -> None:
    built = runpy.run_path(str(GRAFANA / "build.py"))["render"]()
    assert (GRAFANA / "dashboard.json").read_text() == built, "run python docker/grafana/build.py"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_for_exists_in_a_live_servers_metrics(expression: str, exposed: dict[str, set[str]]) -> None:
    nodes = list(parts(parsed(expression)))
    selectors = [node for node in nodes if isinstance(node, promql.VectorSelector)]
    assert selectors, "no series in it"
    for selector in selectors:
        assert {matcher.name for matcher in selector.matchers.matchers} <= exposed[selector.name], selector.name
    for node in nodes:
        grouped = set(getattr(getattr(node, "modifier", None), "labels", None) or [])
        below = [one.name for one in parts(node) if isinstance(one, promql.VectorSelector)]
        assert grouped - BY_PROMETHEUS <= set().union(*(exposed[name] for name in below)), below


def test_every_series_of_the_service_is_on_the_dashboard(live: dict[str, set[str]]) -> None:
    shown = {
        node.name for text in EXPRESSIONS for node in parts(parsed(text)) if isinstance(node, promql.VectorSelector)
    }
    families = {name.removesuffix("_total") for name in live if name.startswith("onepeace_")}
    families = {name.rsplit("_", 1)[0] if name.endswith(("_bucket", "_sum", "_count")) else name for name in families}
    assert {family for family in families if not any(name.startswith(family) for name in shown)} == set()


def test_every_series_of_the_service_is_in_the_docs_table(live: dict[str, set[str]]) -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", page, re.MULTILINE)
    listed = {f"onepeace_{name}" for row in rows for name in re.findall(r"[a-z_]+", row)}
    exposed = {re.sub("_(bucket|sum|count)$", "", name) for name in live if name.startswith("onepeace_")}
    exposed -= {name.removesuffix("_total") for name in exposed if name.endswith("_total")}
    assert exposed - listed == set()


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


def test_prometheus_finds_the_rules_where_compose_puts_them(services: dict[str, Any]) -> None:
    (path,) = load("prometheus/prometheus.yml")["rule_files"]
    (mount,) = [mount for mount in services["prometheus"]["volumes"] if mount["target"] == path]
    assert Path(mount["source"]) == PROMETHEUS / "rules" / "onepeace.yml"


def test_prometheus_scrapes_triton_where_its_metrics_are() -> None:
    (job,) = load("prometheus/triton.yml")["scrape_configs"]
    assert job["dns_sd_configs"] == [{"names": ["triton"], "type": "A", "port": int(triton_flag("metrics-port"))}]


def test_grafana_finds_prometheus_and_the_dashboard(services: dict[str, Any]) -> None:
    (source,) = load("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["uid"] == "prometheus"
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    interval = load("prometheus/prometheus.yml")["global"]["scrape_interval"]
    assert seconds(source["jsonData"]["timeInterval"]) == seconds(interval)
    (provider,) = load("grafana/provisioning/dashboards/onepeace.yml")["providers"]
    targets = {mount["target"] for mount in services["grafana"]["volumes"]}
    assert f"{provider['options']['path']}/dashboard.json" in targets
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in targets
    assert "monitoring" in services["prometheus"]["networks"].keys() & services["grafana"]["networks"].keys()
