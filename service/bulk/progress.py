"""How far a job is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import IO, Any

from tqdm import tqdm

LINE_EVERY_S = 10.0


def say(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"onepeace: {message}\n")


class Progress:
    """Counts rows; `done` and `failed` are where an earlier run stopped. `total` is None where it is not known."""

    def __init__(self, total: int | None, done: int, failed: int, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total, self._first, self.done, self.failed = total, done, done, failed
        self._started_s = self._said_s = time.monotonic()
        self._bar: Any = None
        if self._stream.isatty():
            self._bar = tqdm(total=total, initial=done, unit="row", file=self._stream, dynamic_ncols=True)
            self._bar.set_postfix_str(f"{failed} failed")

    def add(self, rows: int, failed: int) -> None:
        """So many more rows are done, some of which have an error."""
        self.done += rows
        self.failed += failed
        if self._bar is not None:
            if failed:
                self._bar.set_postfix_str(f"{self.failed} failed", refresh=False)
            self._bar.update(rows)
        elif time.monotonic() - self._said_s >= LINE_EVERY_S:
            self._said_s = time.monotonic()
            self._stream.write(f"onepeace: {self.line()}\n")
            self._stream.flush()

    def line(self) -> str:
        """Rows, rate, time left and failures in words."""
        rate = (self.done - self._first) / max(1e-9, time.monotonic() - self._started_s)
        of_total = "" if self._total is None else f" of {self._total}"
        left = ""
        if self._total is not None and rate > 0:
            left = f", {tqdm.format_interval(max(0, self._total - self.done) / rate)} left"
        return f"{self.done}{of_total} rows, {rate:.1f} rows/s{left}, {self.failed} failed"

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
