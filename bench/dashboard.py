"""`python -m bench.dashboard`: Prometheus before a loaded service, and the dashboard's queries drawn as a picture.

Needs `prometheus` (Debian's package of that name) in PATH. Grafana is not part of it: its panels are drawn by
matplotlib, with the titles, units and legends of docker/grafana/dashboard.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image

from bench.load import run_load
from bench.processes import free_ports, running, server, triton
from bench.samples import Sample, make_samples
from export.triton.python_variant import write_python_variant
from export.triton.wheel import WheelError, server_folder

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # (the backend is chosen before)

DASHBOARD = Path("docker/grafana/dashboard.json")
RULES = Path("docker/prometheus/rules/onepeace.yml")
RATE_INTERVAL = "10s"
STEP_S = 1
WORDS = (1, 3, 6, 10, 20, 40, 60)
GRID_INCHES = (0.85, 0.42)


@dataclass(frozen=True, slots=True)
class Curve:
    """One series of one query: Unix times and values."""

    legend: str
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def main() -> None:
    """Load, ask, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--seconds", type=float, default=90.0, help="length of the load")
    parser.add_argument("--out", type=Path, default=Path("docs/images/dashboard.png"))
    options = parser.parse_args()
    found = shutil.which("prometheus")
    if found is None:
        sys.exit("needs prometheus in PATH (Debian: apt-get install prometheus)")
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        limits = ("--max-queue", "96", "--max-items", "64", "--deadline-ms", "2000")
        gateways = [stack.enter_context(server(options.repository, {core}, *limits))]
        scraped = list(gateways)
        if _has_triton():
            variant = Path(folder) / "repository"
            write_python_variant(options.repository, variant, threads=1)
            grpc, metrics = stack.enter_context(triton(variant, Path(folder), {core}))
            flags = ("--engine=triton", f"--triton-url=127.0.0.1:{grpc}")
            gateways.append(stack.enter_context(server(options.repository, {core}, *limits, *flags)))
            scraped += [gateways[-1], metrics]
        url = stack.enter_context(prometheus(found, Path(folder), scraped))
        started_s = time.time()
        make_load(gateways, options.seconds)
        draw(url, started_s, time.time(), options.out)


def _has_triton() -> bool:
    try:
        server_folder()
    except WheelError:
        print("without Triton: `make triton` installs it")
        return False
    return True


@contextmanager
def prometheus(program: str, folder: Path, targets: list[int]) -> Iterator[str]:
    """Prometheus with our rules, looking every second; gives its URL."""
    (port,) = free_ports(1)
    config = {
        "global": {"scrape_interval": f"{STEP_S}s", "evaluation_interval": f"{STEP_S}s"},
        "rule_files": [str(RULES.absolute())],
        "scrape_configs": [
            {"job_name": "onepeace", "static_configs": [{"targets": [f"127.0.0.1:{one}" for one in targets]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    url = f"http://127.0.0.1:{port}"
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--log.level=error"]
    with running([program, *words, f"--web.listen-address=127.0.0.1:{port}"], f"{url}/-/ready"):
        yield url


def make_load(ports: list[int], seconds: float) -> None:
    """Texts, pictures and clips; in the second half more than fits, and files that nobody can read."""
    _, image, audio = make_samples()
    texts = [Sample("text", "", " ".join(["word"] * count).encode()) for count in WORDS]
    calm = [sample.http_request("x") for sample in (*texts, image, *texts, audio)]
    broken = [Sample(kind, "", b"no media").http_request("x") for kind in ("image", "audio")]
    crowd = threading.Thread(target=_crowd, args=(ports, [*calm, *broken], seconds / 2))
    crowd.start()
    run_load(ports, calm, 6, seconds)
    crowd.join()


def _crowd(ports: list[int], requests: list[bytes], seconds: float) -> None:
    time.sleep(seconds)
    run_load(ports, requests, 128, seconds * 0.8)


def ask(url: str, query: str, started_s: float, ended_s: float) -> list[dict[str, Any]]:
    """The series of a query over the run."""
    query = query.replace("$__rate_interval", RATE_INTERVAL).replace("$endpoint", ".*")
    words = urllib.parse.urlencode({"query": query, "start": started_s, "end": ended_s, "step": STEP_S})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{words}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def curves(url: str, panel: dict[str, Any], started_s: float, ended_s: float) -> list[Curve]:
    """What a panel shows; values that are not numbers are left out, as Grafana does."""
    drawn = []
    for target in panel["targets"]:
        for series in ask(url, target["expr"], started_s, ended_s):
            labels = series["metric"]
            legend = re.sub(r"{{(\w+)}}", lambda match, own=labels: own.get(match[1], ""), target["legendFormat"])
            points = [(when, float(value)) for when, value in series["values"] if math.isfinite(float(value))]
            drawn.append(Curve(legend, [when - started_s for when, _ in points], [value for _, value in points]))
    return drawn


def draw(url: str, started_s: float, ended_s: float, out: Path) -> None:
    """One picture of all panels, laid out as on the dashboard. Tells which panels are empty."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(24 * GRID_INCHES[0], height * GRID_INCHES[1]))
    for panel in panels:
        place = panel["gridPos"]
        left, bottom = place["x"] / 24, 1 - (place["y"] + place["h"]) / height
        if panel["type"] == "row":
            figure.text(0.005, bottom + 0.3 / height, panel["title"], fontsize=15, weight="bold")
            continue
        box = (left + 0.03, bottom + 1.0 / height, place["w"] / 24 - 0.04, (place["h"] - 2.0) / height)
        axes = figure.add_axes(box, title=f"{panel['title']} [{panel['fieldConfig']['defaults']['unit']}]")
        axes.title.set_fontsize(9)
        found = curves(url, panel, started_s, ended_s)
        if not any(curve.values for curve in found):
            print(f"empty: {panel['title']}")
            axes.text(0.5, 0.5, "no data", ha="center", transform=axes.transAxes)
        elif panel["type"] == "stat":
            _write(axes, panel, found)
        else:
            _plot(axes, found)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=60)
    with Image.open(out) as picture:  # a quarter of the bytes
        picture.convert("RGB").quantize(32).save(out, optimize=True)


def _write(axes: Any, panel: dict[str, Any], found: list[Curve]) -> None:
    by_name = panel.get("options", {}).get("textMode") == "name"
    text = ", ".join(curve.legend if by_name else f"{curve.values[-1]:.3g}" for curve in found if curve.values)
    axes.set_axis_off()
    axes.text(0.5, 0.4, text, ha="center", fontsize=22, transform=axes.transAxes)


def _plot(axes: Any, found: list[Curve]) -> None:
    if not any(any(curve.values) for curve in found):
        axes.text(0.5, 0.5, "0 throughout", ha="center", transform=axes.transAxes)
    for curve in found:
        if any(curve.values):
            axes.plot(curve.times, curve.values, label=curve.legend or "value", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6, loc="upper left", ncols=2)


if __name__ == "__main__":
    main()
