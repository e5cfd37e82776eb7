"""One evaluation: what was measured on what, by which model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from training.evaluation.tasks.result import Result

MODEL_FIELDS = ("model", "fingerprint", "dimensions", "engine", "device", "version")
FILES_NAMED = 20
"""Missing and refused files named in JSON; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Record:
    """`info` is the model's own (`GET /info`); `left_out` says why a task was not measured."""

    benchmark: str
    data: Path
    split: str | None
    limit: int | None
    started: datetime
    info: dict[str, Any]
    results: tuple[Result, ...]
    left_out: dict[str, str]

    def fingerprints(self) -> dict[str, str]:
        """Each model's own fingerprint."""
        return {name: str(card["fingerprint"]) for name, card in self.info.get("models", {}).items()}


def json_record(record: Record) -> bytes:
    """The numbers as JSON; metrics are fractions, 0 to 1."""
    body = {
        "benchmark": record.benchmark,
        "data": str(record.data),
        "split": record.split,
        "limit": record.limit,
        "started": record.started.isoformat(timespec="seconds"),
        "model": {name: record.info.get(name) for name in MODEL_FIELDS},
        "fingerprints": record.fingerprints(),
        "results": [_result(result) for result in record.results],
        "left_out": record.left_out,
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _result(result: Result) -> dict[str, Any]:
    return {
        "title": result.title,
        "count": result.count,
        "metrics": result.metrics,
        "missing": {"count": len(result.missing), "files": [str(path) for path in result.missing[:FILES_NAMED]]},
        "refused": {
            "count": len(result.refused),
            "files": [{"file": str(file.path), "why": file.why} for file in result.refused[:FILES_NAMED]],
        },
        "details": result.details,
    }
