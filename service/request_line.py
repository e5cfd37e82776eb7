"""The line that the log has for each request: ids, sizes and times; nothing that the request said."""

from __future__ import annotations

import logging
import time
from typing import Any

import orjson

from service.context import RequestContext
from service.correlation import valid_traceparent
from service.errors import InvalidRequest, ServiceError, rejection_reason
from service.log_format import timestamp

Record = dict[str, Any]
MOST_CODES = 8


def request_record(
    context: RequestContext, endpoint: str, status: int, duration_s: float, error: ServiceError | None
) -> Record:
    """The fields of the line. Of an error only codes: its text may repeat a host or a field's name."""
    stages = context.stages
    record: Record = {
        "event": "request",
        "request_id": context.request_id,
        "endpoint": endpoint,
        "status": status,
        "duration_ms": _ms(duration_s),
        "request_bytes": context.body_bytes,
        "answer_bytes": context.answer_bytes,
        "stages_ms": {stage: _ms(seconds) for stage, seconds in stages.items() if seconds},
    }
    record |= _trace(context)
    if stages.tally.items:
        record["items"] = stages.tally.items
    if error is not None:
        record["code"] = error.code
        if isinstance(error, InvalidRequest):
            record["input_codes"] = sorted({one.code for one in error.errors})[:MOST_CODES]
        if reason := rejection_reason(type(error)):
            record["reason"] = reason
    return record


def render_json(record: Record, level: int) -> str:
    """One JSON object, with the time and the level before everything else."""
    head = {"time": timestamp(time.time()), "level": logging.getLevelName(level).lower()}
    return orjson.dumps(head | record).decode()


def render_text(record: Record, level: int) -> str:
    """The same for people."""
    clock = time.strftime("%Y-%m-%d %H:%M:%S")
    words = f"{record['endpoint']} {record['status']} {record['duration_ms']} ms {record['request_id']}"
    return f"{clock} {logging.getLevelName(level)} {words} {record.get('code', '')}".rstrip()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _trace(context: RequestContext) -> Record:
    span = context.stages.span
    if span is not None:
        return {"trace_id": span.trace_id, "span_id": span.span_id}
    came = valid_traceparent(context.headers.get(b"traceparent"))
    return {"trace_id": came[3:35].decode()} if came is not None else {}
