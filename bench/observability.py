"""`python -m bench.observability 2>/dev/null`: what log lines and traces cost a short text and a picture.

One server for each way of looking, all on one core, asked in turn; the load and the collector have another core. The
collector takes spans and throws them away. CPU time is the server's, over all its threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.load import run_load
from bench.processes import free_ports, running, server
from bench.samples import make_samples

CONNECTIONS = 64


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--collector", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.collector:
        ThreadingHTTPServer(("127.0.0.1", options.collector), _Collector).serve_forever()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("needs two cores: one for the servers, one for the load")
    os.sched_setaffinity(0, {cores[1]})
    with ExitStack() as stack:
        traces = f"--otlp-endpoint={stack.enter_context(_collector())}"
        ways = {
            "metrics alone": (),
            "and log lines": ("--log-level=info",),
            "and 1 % of traces": ("--log-level=info", traces, "--otlp-sample-ratio=0.01"),
            "and all traces": ("--log-level=info", traces),
        }
        ports = {name: stack.enter_context(server(options.repository, cores[0], *ways[name])) for name in ways}
        for sample in make_samples()[:2]:
            request = sample.http_request("x")
            rounds = [
                {name: measure(port, request, options.seconds) for name, port in ports.items()}
                for _ in range(options.rounds + 1)
            ][1:]  # the first one warms
            report(sample.title, rounds)


@contextmanager
def _collector() -> Iterator[str]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "bench.observability", "--collector", str(port)]
    with running(command, f"http://127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}"


class _Collector(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def measure(port: int, request: bytes, seconds: float) -> tuple[float, float]:
    """Requests a second, and microseconds of the server's CPU time for each."""
    before_s = _cpu_s(port)
    load = run_load([port], [request], CONNECTIONS, seconds)
    if load.failures:
        sys.exit(f"{load.failures} requests were not answered with 200")
    count = len(load.latencies)
    return count / load.elapsed_s, 1e6 * (_cpu_s(port) - before_s) / count


def _cpu_s(port: int) -> float:
    """The server's CPU time so far, as it tells itself."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("process_cpu_seconds_total ")))


def report(title: str, rounds: list[dict[str, tuple[float, float]]]) -> None:
    """Medians, and the ratio of each round's own figures to those of metrics alone."""
    print(f"{title:20}{'requests /s':>12}{'ratio':>8}{'CPU µs':>9}{'ratio':>8}")
    first = next(iter(rounds[0]))
    for name in rounds[0]:
        rates, cpus = zip(*(one[name] for one in rounds), strict=True)
        ratios = [(one[name][0] / one[first][0], one[name][1] / one[first][1]) for one in rounds]
        rate_ratio, cpu_ratio = (statistics.median(column) for column in zip(*ratios, strict=True))
        rate, cpu = statistics.median(rates), statistics.median(cpus)
        print(f"  {name:18}{rate:12.0f}{rate_ratio:8.2f}{cpu:9.0f}{cpu_ratio:8.2f}")


if __name__ == "__main__":
    main()
