"""Runs given as arguments, one after another in the same processes: `RUN.yaml` or `RUN.yaml@STEP`, for `torchrun`."""

from __future__ import annotations

import sys
from pathlib import Path

from training.configuration import read_run
from training.distributed import process_group
from training.run import train

with process_group():
    for argument in sys.argv[1:]:
        name, _, until = argument.partition("@")
        train(read_run(Path(name)), int(until) if until else None)
