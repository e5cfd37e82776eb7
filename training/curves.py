"""`python -m training.curves OUT.png LOG.jsonl …`: a run's losses and metrics over its steps, one row a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from matplotlib.figure import Figure

from training.log import read_log

NOT_DRAWN = frozenset({"step", "kind", "wait_s", "step_s", "gradient_norm", "learning_rate"})


def draw_curves(logs: list[Path]) -> Figure:
    """A figure with the values of training (thin) and validation (dots) of each log."""
    figure = Figure(figsize=(9, 3 * len(logs)), layout="constrained")
    for place, path in enumerate(logs, start=1):
        axes = figure.add_subplot(len(logs), 1, place)
        reports = read_log(path)
        names = sorted({name for report in reports for name in report} - NOT_DRAWN)
        for number, name in enumerate(names):
            for kind, style in (("train", "-"), ("validation", "o--")):
                points = [(r["step"], r[name]) for r in reports if r["kind"] == kind and name in r]
                if points:
                    label = name if kind == "train" else None
                    axes.plot(
                        *zip(*points, strict=True), style, color=f"C{number}", label=label, linewidth=1, markersize=3
                    )
        axes.set_title(path.parent.name if path.stem == "log" else path.stem, loc="left", fontsize=10)
        axes.set_xlabel("step; dots: validation", fontsize=8)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper right")
    return figure


def main() -> int:
    """Write the picture; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.curves", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("logs", type=Path, nargs="+")
    args = parser.parse_args()
    draw_curves(args.logs).savefig(args.out, dpi=90)
    return 0


if __name__ == "__main__":
    sys.exit(main())
