"""Rows, rate, time left and failures: as a bar on a terminal, as lines elsewhere."""

from __future__ import annotations

import io

from service.bulk.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_with_total_and_failures() -> None:
    terminal = Terminal()
    with Progress(10, 4, 1, terminal) as progress:
        progress.add(3, 2)
    shown = terminal.getvalue().split("\r")[-1]
    assert "7/10" in shown
    assert "row/s" in shown
    assert "3 failed" in shown


def test_elsewhere_nothing_is_drawn_and_the_line_says_it_all() -> None:
    stream = io.StringIO()
    with Progress(10, 4, 1, stream) as progress:
        progress.add(3, 2)
    assert stream.getvalue() == ""
    assert progress.line().startswith("7 of 10 rows, ")
    assert " left, 3 failed" in progress.line()


def test_without_a_total_no_time_left_is_made_up() -> None:
    progress = Progress(None, 0, 0, io.StringIO())
    progress.add(5, 0)
    assert progress.line().startswith("5 rows, ")
    assert "left" not in progress.line()
