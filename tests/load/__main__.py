"""`make reliability`: run experiments against real servers, print and keep their figures.

python -m tests.load                                   all, at full scale
python -m tests.load overload poison --scale small     two of them, in seconds
python -m tests.load --json runs/reliability.json --page docs/reliability.md
python -m tests.load --from runs/reliability.json --page docs/reliability.md     only write the page
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.load.experiment import Experiment, Scale, broken, find_experiments
from tests.load.report import Report, fill_page, machine_in_words, read_json, write_json


def main() -> int:
    """Run what the arguments name.

    Returns:
        0 when every bound held, else 1.
    """
    known = find_experiments()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)}; none: all")
    parser.add_argument("--scale", choices=("full", "small"), default="full")
    parser.add_argument("--json", type=Path, help="write the reports to this file")
    parser.add_argument("--page", type=Path, help="write the tables into this page")
    parser.add_argument("--from", type=Path, dest="source", help="run nothing, take the reports of this file")
    parser.add_argument("--machine", default=machine_in_words(), help="the machine in words, for the page")
    options = parser.parse_args()
    if unknown := set(options.names) - known.keys():
        parser.error(f"no experiment is named {', '.join(sorted(unknown))}")
    if options.source:
        reports = read_json(options.source)
    else:
        names = options.names or list(known)
        reports = [_run(known[name], options.scale, options.machine) for name in names]
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(reports, options.json)
    if options.page:
        options.page.write_text(fill_page(options.page.read_text(encoding="utf-8"), reports), encoding="utf-8")
    complaints = [f"{report.name}: {line}" for report in reports for line in broken(report.figures)]
    sys.stderr.writelines(f"{line}\n" for line in complaints)
    return 1 if complaints else 0


def _run(experiment: Experiment, scale: Scale, machine: str) -> Report:
    sys.stdout.write(f"## {experiment.name}: {experiment.title}\n\n")
    sys.stdout.flush()
    load_before, started = os.getloadavg()[0], time.monotonic()
    figures = experiment.run(scale)
    report = Report(experiment.name, scale, figures, time.monotonic() - started, machine, load_before)
    sys.stdout.write(report.markdown() + "\n")
    sys.stdout.flush()
    return report


if __name__ == "__main__":
    sys.exit(main())
