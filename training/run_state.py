"""What a run must remember to go on exactly where it was: weights, optimiser, averages, step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from training.configuration import RunError

_NAME = re.compile(r"step-(\d+)\.pt$")
KEPT = 2  # states, so that one damaged by a full disk leaves another


def save_state(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write `step-<n>.pt`, all of it or nothing, and remove states older than the newest two."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:07d}.pt"
    staged = path.with_suffix(".part")
    torch.save(state, staged)
    staged.replace(path)
    for old in _states(folder)[:-KEPT]:
        old.unlink()


def load_newest_state(folder: Path) -> dict[str, Any] | None:
    """The newest state of a run, on the CPU; None when there is none.

    Raises:
        RunError: the file can't be read.
    """
    states = _states(folder)
    if not states:
        return None
    try:
        state: dict[str, Any] = torch.load(states[-1], map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive raises many kinds
        raise RunError(f"{states[-1]}: can't be read; remove it to go on from the state before") from error
    return state


def _states(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.pt") if _NAME.search(path.name))
