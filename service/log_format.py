"""How log lines look: JSON for machines, words for a terminal. Set up once, by the command that serves."""

from __future__ import annotations

import functools
import logging
import sys
import time
from typing import Any

import orjson

from service.log_sink import LogSink
from service.settings import Settings

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `event`, and `exception` where there was one."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS, default=str).decode()


class SinkHandler(logging.Handler):
    """Hands records to the sink that requests' lines go to, so that all stand in their order."""

    def __init__(self, sink: LogSink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            line = self.format(record)
        except Exception:  # as logging itself does: a line that can't be rendered must not end what it tells of
            self.handleError(record)
            return
        self._sink.write(line.encode(errors="backslashreplace") + b"\n")


def timestamp(unix_s: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    whole = int(unix_s)
    return f"{_second(whole)}.{int((unix_s - whole) * 1000):03d}Z"


@functools.lru_cache(maxsize=2)
def _second(unix_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s))


def as_json(settings: Settings) -> bool:
    """Whether lines are JSON: `auto` writes words only to a terminal."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def set_up_logging(settings: Settings, sink: LogSink) -> None:
    """Send all of the process's log records to the sink."""
    handler = SinkHandler(sink)
    handler.setFormatter(JsonFormatter() if as_json(settings) else logging.Formatter(TEXT_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
