"""`python -m bench.observability 2>/dev/null`: what log lines and traces cost a short text and a picture.

One server for each way of looking, all on one core, asked in turn; the load and the collector have another core. The
collector takes spans and throws them away. CPU time is the server's, over all its threads.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.load import run_load
from bench.processes import free_ports, running, server
from bench.samples import make_samples
from service.admission import Admission
from service.context import RequestContext
from service.ledger import Ledger
from service.log_sink import LogSink
from service.metrics import Metrics

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
    for level in (logging.ERROR, logging.INFO):
        print(f"books of a request, {'with' if level == logging.INFO else 'without'} a line: {books_us(level):.1f} µs")
    with ExitStack() as stack:
        traces = f"--otlp-endpoint={stack.enter_context(_collector())}"
        ways = {
            "metrics alone": (),
            "and log lines": ("--log-level=info",),
            "and 1 % of traces": ("--log-level=info", traces, "--otlp-sample-ratio=0.01"),
            "and 10 % of traces": ("--log-level=info", traces, "--otlp-sample-ratio=0.1"),
            "and all traces": ("--log-level=info", traces, "--otlp-sample-ratio=1"),
        }
        ports = {name: stack.enter_context(server(options.repository, {cores[0]}, *ways[name])) for name in ways}
        for sample in make_samples()[:2]:
            request = sample.http_request("x")
            rounds = [
                {name: measure(port, request, options.seconds) for name, port in ports.items()}
                for _ in range(options.rounds + 1)
            ][1:]  # the first one warms
            report(sample.title, rounds)


def books_us(level: int) -> float:
    """Microseconds of CPU time that a request's metrics (and line, at level info) take alone; the best of 20."""
    admission = Admission(max_items=1, max_bytes=1)
    ledger = Ledger(Metrics(), admission, None)
    logging.getLogger().setLevel(level)
    with Path(os.devnull).open("wb") as nowhere:
        sink = LogSink(nowhere.fileno(), lambda _: None)
        ledger.log_to(sink, as_json=True)
        best_s = min(_books_s(ledger) for _ in range(20))
        sink.close()
    return 1e6 * best_s


def _books_s(ledger: Ledger, count: int = 2000) -> float:
    started_s = time.process_time()
    for _ in range(count):
        context = RequestContext("x" * 32, {}, 0.0)
        ledger.open(context, "/embed")
        stages = context.stages
        stages.tally.add("text")
        stages.spent("read", context.began_s)
        stages.spent("decode", context.began_s)
        stages.queue = stages.infer = 0.001
        stages.answered()
        ledger.close(context, "/embed", 200, None)
    return (time.process_time() - started_s) / count


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
    """The best round of each way: what else runs on a machine only takes away."""
    print(f"{title:20}{'requests /s':>12}{'ratio':>8}{'CPU µs':>9}{'ratio':>8}")
    best = {name: (max(one[name][0] for one in rounds), min(one[name][1] for one in rounds)) for name in rounds[0]}
    first_rate, first_cpu = next(iter(best.values()))
    for name, (rate, cpu) in best.items():
        print(f"  {name:18}{rate:12.0f}{rate / first_rate:8.2f}{cpu:9.0f}{cpu / first_cpu:8.2f}")


if __name__ == "__main__":
    main()
