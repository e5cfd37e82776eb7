"""`make bench`: bare engine, bare pipeline and the service at 1 and 64 connections, on the same core.

The server and the bare loops are pinned to one core, the load generator to another. Rounds alternate, so that a
machine that changes its speed changes both sides; the table shows medians and ratios of one round's own figures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

from bench.load import Load, run_load
from bench.processes import pinned, server
from bench.samples import Sample, make_samples

CONNECTIONS = 64
BATCH = 16
MARKS: dict[str, tuple[float, float | None]] = {"text": (0.65, 1.0), "image": (0.85, 3.0), "audio": (0.85, None)}
"""What the service must reach: its rate ÷ the bare pipeline's, and milliseconds added to a lone request."""
Figures = dict[str, float]


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--bare", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if options.bare:
        print(json.dumps(bare_figures(options)))
        return
    if len(cores) < 2:
        sys.exit("needs two cores: one for the server, one for the load")
    os.sched_setaffinity(0, {cores[1]})
    print(f"{options.rounds} rounds of {options.seconds} s; server and bare loops on one core, load on another\n")
    for sample in make_samples():
        rounds = [one_round(sample, options, cores[0]) for _ in range(options.rounds)]
        report(sample, {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]})


def one_round(sample: Sample, options: argparse.Namespace, core: int) -> Figures:
    """Bare figures and service figures, one right after the other."""
    command = [sys.executable, "-m", "bench", "--bare", sample.model, "--repository", str(options.repository)]
    command += ["--seconds", str(options.seconds)]
    figures: Figures = json.loads(pinned(command, {core}).communicate()[0])
    with server(options.repository, {core}) as port:
        request = sample.http_request(f"127.0.0.1:{port}")
        run_load([port], [request], 4, 1.0)
        for connections in (1, CONNECTIONS):
            add_load(figures, f"service_{connections}", run_load([port], [request], connections, options.seconds))
    figures["ratio"] = figures[f"service_{CONNECTIONS}_rate"] / figures["pipeline_rate"]
    figures["ratio_batched"] = figures[f"service_{CONNECTIONS}_rate"] / figures["pipeline_batched_rate"]
    figures["added_p50"] = figures["service_1_p50"] - figures["pipeline_p50"]
    return figures


def bare_figures(options: argparse.Namespace) -> Figures:
    """Runs in a process of its own, pinned by its parent."""
    from bench.bare import BarePipeline, measure

    sample = next(sample for sample in make_samples() if sample.model == options.bare)
    pipeline = BarePipeline(options.repository, sample)
    part = options.seconds / 2
    prepare, engine = measure(pipeline.prepare, part), measure(pipeline.engine(1), part)
    engine_batched = measure(pipeline.engine(BATCH), part)
    whole, whole_batched = (measure(lambda rows=rows: pipeline.whole(rows), part) for rows in (1, BATCH))
    return {
        "prepare_p50": statistics.median(prepare),
        "engine_p50": statistics.median(engine),
        "engine_batched_rate": BATCH / statistics.mean(engine_batched),
        "pipeline_p50": statistics.median(whole),
        "pipeline_rate": 1 / statistics.mean(whole),
        "pipeline_batched_rate": BATCH / statistics.mean(whole_batched),
    }


def add_load(figures: Figures, name: str, load: Load) -> None:
    """Rate and latencies of one run of the load generator."""
    if load.failures:
        sys.exit(f"{load.failures} requests were not answered with 200")
    ordered = sorted(load.latencies)
    figures[f"{name}_rate"] = len(ordered) / load.elapsed_s
    figures[f"{name}_p50"] = ordered[len(ordered) // 2]
    figures[f"{name}_p99"] = ordered[int(len(ordered) * 0.99)]


def report(sample: Sample, figures: Figures) -> None:
    """One kind's table."""

    def ms(key: str) -> str:
        return f"{figures[key] * 1000:8.2f} ms"

    print(f"{sample.title}")
    print(f"  bare decode + preprocess       {ms('prepare_p50')}")
    print(f"  bare engine, 1 row             {ms('engine_p50')}")
    print(f"  bare engine, {BATCH} rows      {figures['engine_batched_rate']:11.0f} /s")
    print(f"  bare pipeline, row by row      {ms('pipeline_p50')} {figures['pipeline_rate']:8.0f} /s")
    print(f"  bare pipeline, {BATCH} at a time {figures['pipeline_batched_rate']:20.0f} /s")
    for connections in (1, CONNECTIONS):
        name = f"service_{connections}"
        print(
            f"  service, {connections:2} connections        {ms(name + '_p50')} {figures[name + '_rate']:8.0f} /s"
            f"   p99 {ms(name + '_p99').strip()}"
        )
    ratio_mark, added_mark_ms = MARKS[sample.model]
    verdict = "ok" if figures["ratio"] >= ratio_mark else "below"
    print(f"  service / bare, row by row     {figures['ratio']:8.2f}      mark {ratio_mark}: {verdict}")
    print(f"  service / bare, {BATCH} at a time  {figures['ratio_batched']:8.2f}")
    if added_mark_ms is None:
        print(f"  added p50 at one connection    {ms('added_p50')}\n")
        return
    verdict = "ok" if figures["added_p50"] * 1000 <= added_mark_ms else "above"
    print(f"  added p50 at one connection    {ms('added_p50')}   mark {added_mark_ms} ms: {verdict}\n")


if __name__ == "__main__":
    main()
