"""`python -m bench.triton`: the gateway in front of Triton against the embedded engine, and the batches that form.

Gateways and Triton share one core, as the embedded engine's server has one; the load generator has another. Engines
alternate within a round. The Triton is that of PyPI's wheel, which runs the graphs through its Python backend.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonclient.grpc import InferenceServerClient

from bench.load import run_load
from bench.processes import server, triton
from bench.samples import Sample, make_samples
from export.triton.python_variant import write_python_variant

CONNECTIONS = (1, 64)
WORDS = (1, 3, 6, 10, 14, 20, 28, 40, 60)


@dataclass(frozen=True, slots=True)
class Batches:
    """What Triton ran: rows of a gateway's call, rows of an execution, and the share of positions that were padding."""

    rate: float
    rows_of_call: float
    rows_of_execution: float
    padding: float


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("needs two cores: one for the servers, one for the load")
    os.sched_setaffinity(0, {cores[1]})
    with tempfile.TemporaryDirectory() as folder:
        variant = Path(folder) / "repository"
        write_python_variant(options.repository, variant, threads=1)
        with triton(variant, Path(folder), {cores[0]}) as (port, _):
            flags = ("--engine=triton", f"--triton-url=127.0.0.1:{port}")
            print_rates(options, cores[0], flags)
            print_batches(options, cores[0], flags, port)


def print_rates(options: argparse.Namespace, core: int, flags: Sequence[str]) -> None:
    """Requests a second with each engine, medians over the rounds."""
    print(f"{options.rounds} rounds of {options.seconds} s, requests a second, servers on one core\n")
    print(f"{'':26}{'connections':>12}{'embedded':>10}{'Triton':>10}{'ratio':>8}")
    with ExitStack() as stack:
        embedded = stack.enter_context(server(options.repository, {core}))
        remote = stack.enter_context(server(options.repository, {core}, *flags))
        for sample in make_samples():
            for connections in CONNECTIONS:
                rounds = [
                    [rate(port, [sample], connections, options.seconds) for port in (embedded, remote)]
                    for _ in range(options.rounds)
                ]
                ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
                ratio = statistics.median(row[1] / row[0] for row in rounds)
                print(f"{sample.title:26}{connections:12}{ours:10.0f}{theirs:10.0f}{ratio:8.2f}")


def rate(port: int, samples: Sequence[Sample], connections: int, seconds: float) -> float:
    """Answered requests a second."""
    requests = [sample.http_request(f"127.0.0.1:{port}") for sample in samples]
    load = run_load([port], requests, connections, seconds)
    if load.failures:
        sys.exit(f"{load.failures} requests were not answered with 200")
    return len(load.latencies) / load.elapsed_s


def print_batches(options: argparse.Namespace, core: int, flags: Sequence[str], port: int) -> None:
    """Texts of nine lengths through one gateway and through three."""
    texts = [Sample("text", "", " ".join(["word"] * count).encode()) for count in WORDS]
    print(f"\ntexts of {WORDS[0]} to {WORDS[-1]} words, {CONNECTIONS[-1]} connections in all\n")
    print(f"{'gateways':>8}{'texts /s':>10}{'rows of a call':>16}{'rows of an execution':>22}{'padding':>9}")
    for count in (1, 3):
        with ExitStack() as stack:
            gateways = [stack.enter_context(server(options.repository, {core}, *flags)) for _ in range(count)]
            run_load(gateways, [text.http_request("x") for text in texts], 8, 1.0)
            found = measure_batches(gateways, texts, port, options.seconds)
        print(
            f"{count:8}{found.rate:10.0f}{found.rows_of_call:16.1f}{found.rows_of_execution:22.1f}{found.padding:9.0%}"
        )


def measure_batches(gateways: Sequence[int], texts: Sequence[Sample], triton_port: int, seconds: float) -> Batches:
    """One run of mixed texts, by Triton's statistics and the gateways' metrics."""
    before, then = triton_counts(triton_port), gateway_counts(gateways)
    load = run_load(gateways, [text.http_request("x") for text in texts], CONNECTIONS[-1], seconds)
    after, now = triton_counts(triton_port), gateway_counts(gateways)
    rows, executions = (new - old for new, old in zip(after, before, strict=True))
    calls, positions, padding = (new - old for new, old in zip(now, then, strict=True))
    return Batches(len(load.latencies) / load.elapsed_s, rows / calls, rows / executions, padding / positions)


def triton_counts(port: int) -> tuple[int, int]:
    """Rows and executions of the model `text` so far."""
    with InferenceServerClient(f"127.0.0.1:{port}") as client:
        stats: Any = client.get_inference_statistics("text").model_stats[0]
    return stats.inference_count, stats.execution_count


def gateway_counts(ports: Sequence[int]) -> tuple[float, float, float]:
    """Calls, positions and padding of the model `text` so far, over all gateways."""
    names = ("onepeace_batch_size_count", "onepeace_positions_total", "onepeace_padding_positions_total")
    totals = dict.fromkeys(names, 0.0)
    for port in ports:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        for line in text.splitlines():
            name, _, rest = line.partition("{")
            if name in totals and rest.startswith('model="text"}'):
                totals[name] += float(line.rpartition(" ")[2])
    return tuple(totals.values())  # type: ignore[return-value]


if __name__ == "__main__":
    main()
