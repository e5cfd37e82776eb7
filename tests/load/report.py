"""What runs of experiments gave, as JSON, and as the tables of docs/reliability.md."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tests.load.experiment import Figure, Scale, write_number

MARK = "<!-- figures: {name} -->\n"
END = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one experiment. `machine` is in words; `load_before` is the load average when it began."""

    name: str
    scale: Scale
    figures: Sequence[Figure]
    seconds: float
    machine: str
    load_before: float
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    def markdown(self) -> str:
        """A table of the figures, and how they were made."""
        lines = ["| figure | seen | must hold | |", "|---|---|---|---|"]
        for figure in self.figures:
            verdict = "" if not figure.bound() else "yes" if figure.holds else "**no**"
            what = f"control: {figure.what}" if figure.control else figure.what
            seen = " ".join(filter(None, (write_number(figure.value), figure.unit)))
            lines.append(f"| {what} | {seen} | {figure.bound()} | {verdict} |")
        how = f"`python -m tests.load {self.name} --scale {self.scale}`, {self.date}, {self.machine}"
        noise = f"load average {self.load_before:.1f} before it began"
        return "\n".join([*lines, "", f"{how}, {self.seconds:,.0f} s, {noise}.", ""])


def machine_in_words() -> str:
    """Cores that this process may use; say more with `--machine`."""
    return f"{len(os.sched_getaffinity(0))} cores"


def write_json(reports: Sequence[Report], path: Path) -> None:
    """Write the reports as a list."""
    path.write_bytes(orjson.dumps([asdict(report) for report in reports], option=orjson.OPT_INDENT_2) + b"\n")


def read_json(path: Path) -> list[Report]:
    """What `write_json` wrote."""
    return [
        Report(**{**entry, "figures": [Figure(**figure) for figure in entry["figures"]]})
        for entry in orjson.loads(path.read_bytes())
    ]


def fill_page(page: str, reports: Sequence[Report]) -> str:
    """Put each report's table between its mark and the next end; other tables stay.

    Raises:
        ValueError: the page has no place for an experiment.
    """
    for report in reports:
        mark = MARK.format(name=report.name)
        place = re.compile(re.escape(mark) + ".*?" + re.escape(END), re.DOTALL)
        if len(place.findall(page)) != 1:
            raise ValueError(f"the page must hold '{mark.strip()}' and '{END}' once")
        filled = f"{mark}{report.markdown()}{END}"
        page = place.sub(lambda _, text=filled: text, page)
    return page
