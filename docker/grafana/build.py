"""Writes dashboard.json from the tables below: `python docker/grafana/build.py`. A test holds both together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).with_name("dashboard.json")
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24
RATE = "[$__rate_interval]"
BY_ENDPOINT = '{endpoint=~"$endpoint"}'
NO_PROBES = '{endpoint!~"/health/.*|/metrics"}'


@dataclass(frozen=True)
class Panel:
    """One panel: pairs of a query and its legend."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    width: int = 8


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Sum of a counter's rate."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{where}{RATE}))"


def share(part: str, whole: str, by: str = "", where: str = "") -> str:
    """One counter's rate in another's."""
    return f"{rate(part, by, where)} / {rate(whole, by, where)}"


def quantile(q: float, metric: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{where}{RATE})))"


def one(title: str, unit: str, query: str, legend: str = "", width: int = 8) -> Panel:
    """A panel with one query."""
    return Panel(title, unit, ((query, legend),), width=width)


def stat(title: str, unit: str, query: str, legend: str = "") -> Panel:
    """A number."""
    return Panel(title, unit, ((query, legend),), "stat", 4)


DURATION, MODALITY = "onepeace_request_duration_seconds", "onepeace_modality_duration_seconds"
ENDED, NOT_OK = f"{MODALITY}_count", '{outcome!="ok"}'
ERRORS_1H = "onepeace:request_errors:ratio_rate1h"
WINDOWS = ("5m", "1h", "6h", "3d")
ROWS: dict[str, tuple[Panel, ...]] = {
    "Service": (
        stat("Gateways that are ready", "short", "sum(onepeace_ready)", "ready"),
        stat("Gateways whose engine answers", "short", "sum(onepeace_engine_up)", "up"),
        stat("Requests", "reqps", rate("onepeace_requests_total", where=NO_PROBES), "requests"),
        stat("Answers with 5xx, 1 h", "percentunit", ERRORS_1H, "5xx"),
        stat("Requests in flight", "short", "sum(onepeace_requests_in_flight)", "in flight"),
        Panel("Version", "short", (("count by (version, python) (onepeace_build_info)", "{{version}}"),), "stat", 4),
        Panel(
            "Burn of the error budget (1: used up in 30 days)",
            "short",
            tuple((f"onepeace:request_errors:ratio_rate{window} / 0.001", window) for window in WINDOWS),
            width=12,
        ),
        Panel(
            "Burn of the latency budget",
            "short",
            tuple((f"onepeace:slow_requests:ratio_rate{window} / 0.01", window) for window in WINDOWS),
            width=12,
        ),
    ),
    "By the dearest modality of a request": (
        one("Requests", "reqps", rate(ENDED, "modality"), "{{modality}}"),
        one(
            "Refused or failed",
            "percentunit",
            f"{rate(ENDED, 'modality', NOT_OK)} / {rate(ENDED, 'modality')}",
            "{{modality}}",
        ),
        Panel(
            "Latency",
            "s",
            tuple((quantile(q, MODALITY, "modality", '{outcome="ok"}'), "{{modality}} " + str(q)) for q in (0.5, 0.95)),
        ),
        one("Items", "ops", rate("onepeace_items_total", "modality"), "{{modality}}", 12),
        one(
            "Items that can't be read",
            "ops",
            rate("onepeace_decode_failures_total", "modality, reason"),
            "{{modality}} {{reason}}",
            12,
        ),
    ),
    "By endpoint": (
        one("Requests", "reqps", rate("onepeace_requests_total", "endpoint", BY_ENDPOINT), "{{endpoint}}"),
        one("Answers by status", "reqps", rate("onepeace_requests_total", "status", BY_ENDPOINT), "{{status}}"),
        Panel("Latency", "s", tuple((quantile(q, DURATION, "", BY_ENDPOINT), str(q)) for q in (0.5, 0.95, 0.99))),
        one(
            "Mean time of each stage",
            "s",
            share("onepeace_stage_duration_seconds_sum", "onepeace_stage_duration_seconds_count", "stage"),
            "{{stage}}",
        ),
        one(
            "Time of each stage, 0.95 quantile",
            "s",
            quantile(0.95, "onepeace_stage_duration_seconds", "stage"),
            "{{stage}}",
        ),
        Panel(
            "Problems by code",
            "reqps",
            (
                (rate("onepeace_errors_total", "code"), "{{code}}"),
                (rate("onepeace_stream_item_errors_total", "code"), "{{code}}, an item of a stream"),
            ),
        ),
    ),
    "Saturation": (
        Panel(
            "Room that is taken",
            "percentunit",
            (
                ("max(onepeace_admitted_items / onepeace_queue_limit)", "items"),
                ("max(onepeace_admitted_bytes / onepeace_bytes_limit)", "bytes"),
            ),
        ),
        one("Rows that wait for the engine", "short", "sum by (model) (onepeace_queue_depth)", "{{model}}"),
        one("Requests turned away", "reqps", rate("onepeace_rejections_total", "reason"), "{{reason}}"),
        one(
            "Decoding processes replaced",
            "ops",
            rate("onepeace_decode_worker_restarts_total", "reason"),
            "{{reason}}",
        ),
        one("Requests by key", "reqps", rate("onepeace_key_requests_total", "key, outcome"), "{{key}} {{outcome}}"),
        one("Items by key", "ops", rate("onepeace_key_items_total", "key, outcome"), "{{key}} {{outcome}}"),
        one(
            "Keys and certificates read, 1 h",
            "short",
            "sum by (what, outcome) (increase(onepeace_reloads_total[1h]))",
            "{{what}} {{outcome}}",
        ),
        one("Cores in use", "short", rate("process_cpu_seconds_total", "instance"), "{{instance}}", 6),
        one("Memory", "bytes", "process_resident_memory_bytes", "{{instance}}", 6),
        one("Open descriptors", "percentunit", "process_open_fds / process_max_fds", "{{instance}}", 6),
        one("Log lines lost", "ops", rate("onepeace_log_lines_dropped_total", "instance"), "{{instance}}", 6),
    ),
    "Batches": (
        one("Rows computed", "ops", rate("onepeace_batch_size_sum", "model"), "{{model}}", 6),
        one(
            "Rows of one engine call, mean",
            "short",
            share("onepeace_batch_size_sum", "onepeace_batch_size_count", "model"),
            "{{model}}",
            6,
        ),
        one(
            "Padding among what is computed",
            "percentunit",
            share("onepeace_padding_positions_total", "onepeace_positions_total", "model"),
            "{{model}}",
            6,
        ),
        Panel(
            "Engine calls: time, 0.95 quantile, and calls under way",
            "short",
            (
                (quantile(0.95, "onepeace_batch_duration_seconds", "model"), "{{model}} s"),
                (rate("onepeace_batch_duration_seconds_sum", "model"), "{{model}} under way"),
            ),
            width=6,
        ),
    ),
    "Triton": (
        Panel(
            "Calls by outcome",
            "ops",
            (
                (rate("onepeace_engine_calls_total", "outcome"), "{{outcome}}"),
                (rate("onepeace_engine_retries_total"), "tried again"),
            ),
        ),
        one(
            "Time of a call, 0.95 quantile",
            "s",
            quantile(0.95, "onepeace_engine_call_duration_seconds", "model"),
            "{{model}}",
        ),
        one(
            "Breakers (1 half open, 2 open)",
            "short",
            "max by (address, model) (onepeace_engine_breaker_state)",
            "{{address}} {{model}}",
        ),
        one(
            "Triton's own queue, mean",
            "µs",
            share("nv_inference_queue_duration_us", "nv_inference_request_success", "model"),
            "{{model}}",
            6,
        ),
        one(
            "Rows of one execution, mean",
            "short",
            share("nv_inference_count", "nv_inference_exec_count", "model"),
            "{{model}}",
            6,
        ),
        one("Failed requests", "ops", rate("nv_inference_request_failure", "model, reason"), "{{model}} {{reason}}", 6),
        Panel(
            "GPU",
            "percentunit",
            (
                ("nv_gpu_utilization", "{{gpu_uuid}} busy"),
                ("nv_gpu_memory_used_bytes / nv_gpu_memory_total_bytes", "{{gpu_uuid}} memory"),
            ),
            width=6,
        ),
    ),
}


def panel_json(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    """A panel as Grafana has it."""
    targets = [
        {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend}
        for index, (query, legend) in enumerate(panel.queries)
    ]
    found: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "gridPos": place,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }
    return found | ({"options": {"textMode": "name"}} if panel.title == "Version" else {})


def panels() -> list[dict[str, Any]]:
    """All panels and the titles of rows, laid out from the top."""
    laid: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        laid.append({"id": len(laid) + 1, "type": "row", "title": title, "gridPos": place, "panels": []})
        y, x, height = y + 1, 0, 0
        for panel in row:
            if x + panel.width > COLUMNS:
                x, y = 0, y + height
            height = 4 if panel.kind == "stat" else 8
            place = {"x": x, "y": y, "w": panel.width, "h": height}
            laid.append(panel_json(panel, len(laid) + 1, place))
            x += panel.width
        y += height
    return laid


def dashboard() -> dict[str, Any]:
    """The whole dashboard."""
    endpoint = {
        "name": "endpoint",
        "type": "query",
        "label": "endpoint",
        "datasource": SOURCE,
        "query": {"query": "label_values(onepeace_requests_total, endpoint)", "refId": "endpoint"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": "onepeace",
        "title": "ONE-PEACE Server",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [endpoint]},
        "panels": panels(),
    }


def render() -> str:
    """The file: a line for each panel, so that a change of one is a change of one line."""
    whole = dashboard()
    lines = ",\n    ".join(json.dumps(panel, ensure_ascii=False) for panel in whole.pop("panels"))
    head = json.dumps(whole, ensure_ascii=False, indent=2).removesuffix("\n}")
    return f'{head},\n  "panels": [\n    {lines}\n  ]\n}}\n'


if __name__ == "__main__":
    DASHBOARD.write_text(render())
