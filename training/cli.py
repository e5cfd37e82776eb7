"""`onepeace train`: a run from its YAML file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from service.arguments import whole_number

EPILOG = """\
Several processes: torchrun --nproc-per-node 8 -m training RUN.yaml
A run that was stopped goes on from its newest state when it is started again.
"""


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `onepeace train`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("run", type=Path, metavar="RUN.yaml", help="YAML file of settings; see training/runs/")
    parser.add_argument(
        "--until",
        type=whole_number(1),
        metavar="STEP",
        help="stop after this step, as a kill would: `save_every` decides",
    )


def run_train(args: argparse.Namespace) -> int:
    """Run; the exit code: 0, 1 when the run failed, 2 when it could not start."""
    try:
        from training.configuration import RunError, read_run
        from training.data.table import TableError
        from training.run import train
    except ImportError as error:
        print(f"onepeace train: {error.name} is not installed; pip install 'onepeace-server[train]'", file=sys.stderr)
        return 2
    try:
        train(read_run(args.run), args.until)
    except RunError as error:
        print(f"onepeace train: {error}", file=sys.stderr)
        return 2
    except TableError as error:
        print(f"onepeace train: {error}", file=sys.stderr)
        return 1
    return 0
