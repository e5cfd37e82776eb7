"""The table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.evaluation.report.record import Record
from training.evaluation.tasks.result import Result

SHORT_FINGERPRINT = 8
FILES_NAMED = 3


def table(record: Record) -> str:
    """Plain text: one line for each measure, in per cent, and what was left out."""
    info = record.info
    head = (
        f"{record.benchmark}{f', {record.split}' if record.split else ''}: {info.get('model')} "
        f"{str(info.get('fingerprint'))[:SHORT_FINGERPRINT]}, {info.get('dimensions')} dimensions"
    )
    rows = [row for result in record.results for row in _rows(result)]
    heads = ("task", "n", "measure", "%")
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = [_line(row, widths) for row in [heads, *rows]]
    return "\n".join([head, "", *lines, *_notes(record)])


def _rows(result: Result) -> Iterator[tuple[str, str, str, str]]:
    for number, (name, value) in enumerate(result.metrics.items()):
        first = number == 0
        yield result.title if first else "", str(result.count) if first else "", name, f"{100 * value:.1f}"


def _line(row: Sequence[str], widths: list[int]) -> str:
    return f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:{widths[2]}}  {row[3]:>{widths[3]}}"


def _notes(record: Record) -> list[str]:
    notes = []
    for result in record.results:
        if result.missing:
            named = ", ".join(path.name for path in result.missing[:FILES_NAMED])
            notes.append(f"{result.title}: {len(result.missing)} missing files were left out, such as {named}")
        if result.refused:
            named = "; ".join(f"{file.path.name}: {file.why}" for file in result.refused[:FILES_NAMED])
            notes.append(f"{result.title}: {len(result.refused)} unusable files were left out, such as {named}")
    notes += [f"{title}: not measured: {why}" for title, why in record.left_out.items()]
    return ["", *notes] if notes else []
