"""The log's way out when what reads it is full, stuck or gone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from service import log_sink
from service.log_sink import LogSink


def test_lines_come_out_in_order(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        sink = LogSink(file.fileno(), lambda _: None)
        for number in range(1000):
            sink.write(b"%d\n" % number)
        sink.close()
    assert (tmp_path / "log").read_text().split() == [str(number) for number in range(1000)]


def test_a_line_is_written_without_a_close(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        sink = LogSink(file.fileno(), lambda _: None)
        sink.write(b"x\n")
        end = time.monotonic() + 10
        while not (tmp_path / "log").stat().st_size and time.monotonic() < end:
            time.sleep(0.01)
        sink.close()
    assert (tmp_path / "log").read_bytes() == b"x\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_loses_lines_that_are_counted_and_stops_nothing() -> None:
    dropped: list[int] = []
    with Path("/dev/full").open("wb", buffering=0) as file:
        sink = LogSink(file.fileno(), dropped.append)
        sink.write(b"x\n")
        sink.write(b"y\n")
        sink.close()
    assert sum(dropped) == 2


def test_a_reader_that_does_not_read_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sink, "MOST_BYTES", 512 * 1024)
    monkeypatch.setattr(log_sink, "CLOSE_S", 0.1)
    dropped: list[int] = []
    reader, writer = os.pipe()
    try:
        sink = LogSink(writer, dropped.append)
        started = time.monotonic()
        for _ in range(2000):
            sink.write(b"x" * 1023 + b"\n")  # 2 MB; a pipe takes 64 kB
        assert time.monotonic() - started < 5
        assert sum(dropped) > 0
        sink.close()
    finally:
        os.close(reader)  # ends the thread's write
        sink._thread.join(10)
        os.close(writer)
