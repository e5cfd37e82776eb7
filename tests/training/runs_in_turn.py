"""Runs given as arguments, one after another in the same processes: `RUN.yaml` or `RUN.yaml@STEP`, for `torchrun`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from training.configuration import read_run
from training.run import train

for number, argument in enumerate(sys.argv[1:]):
    os.environ["TORCHELASTIC_RESTART_COUNT"] = str(number)  # each its own meeting place, as after a restart
    name, _, until = argument.partition("@")
    train(read_run(Path(name)), int(until) if until else None)
