"""What a run reports: one JSON line for each report, and the same in TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard.writer import SummaryWriter


class RunLog:
    """`log.jsonl` and `tensorboard/` of a run's folder.

    Reports of later steps than `step`, which a killed run wrote after its last state, are dropped, and a last line that
    a full disk or a machine's end cut off.
    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.jsonl"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        self._path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Report the values of a step; `kind` is "train" or "validation"."""
        rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "kind": kind, **rounded}) + "\n")
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)


def read_log(path: Path) -> list[dict[str, float | str]]:
    """The reports of a run, in order."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
