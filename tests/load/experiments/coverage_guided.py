"""Decoders and forms under atheris, in a process each: inputs made from what earlier ones reached."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.experiment import Experiment, Figure, Scale

RUNS: dict[Scale, int] = {"full": 20_000, "small": 300}
TARGETS = ("picture", "sound", "form")
CONTROL_RUNS = 2000
HANG_S = 20  # as long as `decode_timeout_ms`
MOST_MEMORY_MIB = 2048
LARGEST_INPUT = 65_536
PATIENCE_S = 3600
FAILURE = "failure.txt"


@dataclass(frozen=True, slots=True)
class Hunt:
    """What came of one target. `failure` is the last line of a traceback, or libFuzzer's word: timeout, oom, crash."""

    runs: int
    covered: int
    failure: str


def hunt(target: str, runs: int) -> Hunt:
    """Call the target `runs` times, or until it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.load.fuzz_target", target, folder, f"-runs={runs}", "-seed=6"]
        limits = [f"-timeout={HANG_S}", f"-rss_limit_mb={MOST_MEMORY_MIB}", f"-max_len={LARGEST_INPUT}"]
        quiet = "-close_fd_mask=2"  # what native libraries print of each file
        done = subprocess.run([*command, *limits, quiet], capture_output=True, timeout=PATIENCE_S, check=False)
        said = done.stderr.decode(errors="replace")
        traceback = Path(folder, FAILURE)
        failure = traceback.read_text().splitlines()[-1] if traceback.exists() else ""
        artifacts = [path.name.split("-")[0] for path in Path(folder).glob("*-*")]
    if done.returncode and not failure:
        failure = ", ".join(artifacts) or said[-300:]
    counts = [int(count) for count in re.findall(r"^#(\d+)", said, re.MULTILINE)]
    covered = [int(count) for count in re.findall(r"cov: (\d+)", said)]
    return Hunt(max(counts, default=0), max(covered, default=0), failure)


def run(scale: Scale) -> Sequence[Figure]:
    """All targets, then one with a bug, which must be found."""
    figures: list[Figure] = []
    for target in TARGETS:
        found = hunt(target, RUNS[scale])
        figures += [
            Figure(f"{target}: inputs", found.runs, at_least=RUNS[scale]),
            Figure("… branches of Python code reached", found.covered, at_least=50),
            Figure("… errors that are not the service's own, hangs, crashes", int(bool(found.failure)), at_most=0),
        ]
        if found.failure:
            figures.append(Figure("…", found.failure))
    bug = hunt("control", CONTROL_RUNS)
    return [*figures, Figure("a decoder with a bug: found", int("a bug" in bug.failure), at_least=1, control=True)]


EXPERIMENT = Experiment("coverage_guided", "Decoders and forms under coverage-guided fuzzing", run)
