"""Who reaches whom: Services and what scales or guards pods find them, policies let through what is meant."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.fetching.addresses import is_public
from service.fetching.policy import Allowlist
from service.rpc.health import SERVICE as HEALTH
from service.rpc.servicer import SERVICE as RPC_SERVICE
from tests.k8s.manifests import K8S, OVERLAYS, Object, build, built_with, copied, of_kind, pods_of, selects
from tests.k8s.test_gateway import settings_of

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
POLICY_SELECTORS = {"Ingress": "from", "Egress": "to"}


def objects_of(overlay: str) -> list[Object]:
    return build(f"overlays/{overlay}")


def container_ports(one: Any) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in one.main["ports"]}


@every_overlay
def test_every_service_finds_pods_that_listen(overlay: str) -> None:
    objects = objects_of(overlay)
    for service in of_kind(objects, "Service").values():
        found = [one for one in pods_of(objects) if selects(service["spec"]["selector"], one.labels)]
        assert len(found) == 1
        for port in service["spec"]["ports"]:
            assert container_ports(found[0])[port["targetPort"]] == port["port"]


@every_overlay
def test_grpc_clients_find_each_pod(overlay: str) -> None:
    service = of_kind(objects_of(overlay), "Service")["onepeace-grpc"]
    assert service["spec"]["clusterIP"] == "None"
    assert not service["spec"].get("publishNotReadyAddresses")


@pytest.mark.parametrize(
    ("components", "protocols"),
    [((), {"http": "http", "grpc": "kubernetes.io/h2c"}), (("tls",), {"http": "https", "grpc": "https"})],
    ids=["plain", "tls"],
)
def test_services_name_the_protocol_of_their_ports(
    components: tuple[str, ...], protocols: dict[str, str], tmp_path: Path
) -> None:
    services = of_kind(built_with(tmp_path, *components, base="overlays/cpu-embedded"), "Service")
    assert services.keys() == {"onepeace", "onepeace-grpc"}
    for service in services.values():
        for port in service["spec"]["ports"]:
            assert port["appProtocol"] == protocols[port["name"]]
            assert port["targetPort"] == port["name"], "a patch changes nothing else"


@every_overlay
def test_deployments_scalers_and_budgets_mean_pods_that_exist(overlay: str) -> None:
    objects = objects_of(overlay)
    deployments = of_kind(objects, "Deployment")
    for one in deployments.values():
        assert selects(one["spec"]["selector"]["matchLabels"], one["spec"]["template"]["metadata"]["labels"])
    for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
        assert "replicas" not in deployments[scaler["spec"]["scaleTargetRef"]["name"]]["spec"], (
            "an apply would reset it"
        )
    for budget in of_kind(objects, "PodDisruptionBudget").values():
        fits = [one for one in pods_of(objects) if selects(budget["spec"]["selector"]["matchLabels"], one.labels)]
        assert [one.name for one in fits] == [budget["metadata"]["name"]]


@every_overlay
def test_nothing_is_let_through_unless_said(overlay: str) -> None:
    deny = of_kind(objects_of(overlay), "NetworkPolicy")["default-deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@every_overlay
def test_a_policy_names_ports_that_its_pods_have(overlay: str) -> None:
    objects = objects_of(overlay)
    for policy in of_kind(objects, "NetworkPolicy").values():
        wanted = policy["spec"]["podSelector"].get("matchLabels")
        if wanted is None:
            continue
        (target,) = [one for one in pods_of(objects) if selects(wanted, one.labels)]
        for rule in policy["spec"].get("ingress", []):
            assert {port["port"] for port in rule["ports"]} <= container_ports(target).keys()


def allowed(objects: list[Object], name: str, direction: str) -> list[tuple[Any, Any]]:
    """(peer, port) of all rules of a direction that apply to a workload."""
    (one,) = [one for one in pods_of(objects) if one.name == name]
    policies = of_kind(objects, "NetworkPolicy").values()
    applies = [
        policy for policy in policies if selects(policy["spec"]["podSelector"].get("matchLabels", {}), one.labels)
    ]
    return [
        (peer, port["port"])
        for policy in applies
        for rule in policy["spec"].get(direction.lower(), [])
        for peer in rule[POLICY_SELECTORS[direction]]
        for port in rule["ports"]
    ]


@pytest.mark.parametrize("overlay", ["gpu", "keda", "monitoring"])
def test_only_the_gateway_calls_triton_and_triton_calls_nobody(overlay: str) -> None:
    objects = objects_of(overlay)
    (gateway,) = [one for one in pods_of(objects) if one.name == "onepeace-gateway"]
    callers = [peer for peer, port in allowed(objects, "onepeace-triton", "Ingress") if port == "grpc"]
    (caller,) = callers
    assert caller.keys() == {"podSelector"}, "in this namespace"
    assert selects(caller["podSelector"]["matchLabels"], gateway.labels)
    assert {port for _, port in allowed(objects, "onepeace-triton", "Egress")} == {53}


def test_only_the_overlay_for_monitoring_lets_prometheus_in() -> None:
    ports = {
        name: {port for _, port in allowed(objects_of(name), "onepeace-triton", "Ingress")}
        for name in ("gpu", "monitoring")
    }
    assert ports == {"gpu": {"grpc"}, "monitoring": {"grpc", "metrics"}}


@every_overlay
def test_the_gateway_is_called_from_marked_namespaces_and_calls_triton_alone(overlay: str) -> None:
    objects = objects_of(overlay)
    marked = {"namespaceSelector": {"matchLabels": {"onepeace-client": "true"}}}
    callers = [(peer, port) for peer, port in allowed(objects, "onepeace-gateway", "Ingress") if port == "grpc"]
    assert callers == [(marked, "grpc")]
    has_triton = "onepeace-triton" in of_kind(objects, "Deployment")
    assert {port for _, port in allowed(objects, "onepeace-gateway", "Egress")} == {53, *([8001] if has_triton else [])}


def test_traces_have_a_way_to_the_collector_alone(tmp_path: Path) -> None:
    objects = built_with(tmp_path, "tracing", base="overlays/cpu-embedded")
    (gateway,) = pods_of(objects)
    collector = urlsplit(settings_of(gateway).otlp_endpoint)
    _, namespace, kind = str(collector.hostname).split(".")
    assert kind == "svc"
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    outward = [(peer, port) for peer, port in allowed(objects, gateway.name, "Egress") if port != 53]
    assert outward == [(named, collector.port)]


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07::1", "10.96.0.1", "169.254.169.254", "168.63.129.16", "fd00::1"]
)
def test_media_by_url_have_a_way_to_public_addresses_alone(address: str, tmp_path: Path) -> None:
    objects = built_with(tmp_path, "url-fetch", base="overlays/cpu-embedded")
    (gateway,) = pods_of(objects)
    settings = settings_of(gateway)
    outward = [(peer["ipBlock"], port) for peer, port in allowed(objects, gateway.name, "Egress") if port != 53]
    assert settings.url_fetch == "allowlist"
    assert {port for _, port in outward} == {rule.port for rule in Allowlist.parse(settings.url_hosts).rules}
    reached = [
        block
        for block, _ in outward
        if ip_address(address) in ip_network(block["cidr"])
        and not any(ip_address(address) in ip_network(part) for part in block.get("except", []))
    ]
    assert bool(reached) == is_public(address)


def test_routes_lead_to_ports_of_the_service(tmp_path: Path) -> None:
    objects = built_with(tmp_path, "gateway-api", "ingress")
    ports = {port["name"]: port["port"] for port in of_kind(objects, "Service")["onepeace"]["spec"]["ports"]}
    for kind, port in (("HTTPRoute", "http"), ("GRPCRoute", "grpc")):
        (route,) = of_kind(objects, kind).values()
        (gateway,) = of_kind(objects, "Gateway").values()
        listeners = {one["name"]: one["hostname"] for one in gateway["spec"]["listeners"]}
        (parent,) = route["spec"]["parentRefs"]
        assert parent["name"] == gateway["metadata"]["name"]
        assert [listeners[parent["sectionName"]]] == route["spec"]["hostnames"]
        for rule in route["spec"]["rules"]:
            assert rule["backendRefs"] == [{"name": "onepeace", "port": ports[port]}]
    (ingress,) = of_kind(objects, "Ingress").values()
    (rule,) = ingress["spec"]["rules"]
    for path in rule["http"]["paths"]:
        assert path["backend"] == {"service": {"name": "onepeace", "port": {"name": "http"}}}


def hosts(objects: list[Object]) -> set[str]:
    """Those that listeners and routes claim."""
    (gateway,) = of_kind(objects, "Gateway").values()
    routes = of_kind(objects, "HTTPRoute"), of_kind(objects, "GRPCRoute")
    listened = {one["hostname"] for one in gateway["spec"]["listeners"]}
    assert listened == {host for (route,) in (one.values() for one in routes) for host in route["spec"]["hostnames"]}
    return listened


def test_a_second_service_claims_no_host_of_the_first() -> None:
    assert not hosts(build("next/service")) & hosts(build("example"))


def test_the_example_names_the_hosts_of_an_ingress(tmp_path: Path) -> None:
    """With what its comment says, for another host."""
    text = (K8S / "example" / "kustomization.yaml").read_text(encoding="utf-8")
    _, start, commented = text.partition("  # - target: {kind: Ingress, name: onepeace}\n")
    patch = (start + commented).replace("  # ", "  ")
    changes = {start + commented: patch.replace("onepeace.example.org", "elsewhere.example.org")}
    objects = copied(
        tmp_path, "example", {"  - ../components/gateway-api  # or": "  - ../components/ingress  # or", **changes}
    )
    (ingress,) = of_kind(objects, "Ingress").values()
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["elsewhere.example.org"]
    assert [one["hosts"] for one in ingress["spec"]["tls"]] == [["elsewhere.example.org"]]


Match = tuple[str, str]
"""`Exact` or `Prefix`, and the path."""


def http_matches(objects: list[Object]) -> dict[str, list[Match]]:
    """What each way in from outside lets through."""
    (route,), (ingress,) = of_kind(objects, "HTTPRoute").values(), of_kind(objects, "Ingress").values()
    matches = [match["path"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    return {
        "HTTPRoute": [(match["type"].removeprefix("Path"), match["value"]) for match in matches],
        "Ingress": [(path["pathType"], path["path"]) for path in paths],
    }


def routed(paths: set[str], match: Match) -> set[str]:
    """Those that it lets through; a prefix means whole segments."""
    kind, value = match
    below = f"{value.rstrip('/')}/"
    return {path for path in paths if path == value or (kind == "Prefix" and path.startswith(below))}


@pytest.mark.parametrize("kind", ["HTTPRoute", "Ingress"])
def test_every_public_path_has_a_way_in_and_what_is_for_operators_has_none(kind: str, tmp_path: Path) -> None:
    from service.app import ROUTERS
    from service.routes import pages

    matches = http_matches(built_with(tmp_path, "gateway-api", "ingress"))[kind]
    paths = {one.path for router in (*ROUTERS, pages.router) for one in router.routes} | {"/openapi.json"}
    let_in = [routed(paths, match) for match in matches]
    assert all(let_in), "none leads nowhere"
    assert paths - set().union(*let_in) == {"/health/live", "/health/ready", "/metrics"}


def test_every_method_has_a_route(tmp_path: Path) -> None:
    objects = built_with(tmp_path, "gateway-api")
    (grpc_route,) = of_kind(objects, "GRPCRoute").values()
    services = {match["method"]["service"] for rule in grpc_route["spec"]["rules"] for match in rule["matches"]}
    assert services == {RPC_SERVICE, HEALTH}
