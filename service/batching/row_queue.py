"""Rows that wait for an engine slot, grouped by length and ordered by age and priority."""

from __future__ import annotations

import bisect
import math
from asyncio import Future
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from service.engine.protocol import Array, RowInputs
from service.tracing import Span

BULK_HANDICAP_S = 1.0
"""A bulk row queues as if it had come this much later: small requests go first, bulk never starves."""


class Priority(IntEnum):
    """Who goes first when rows wait."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row's output, float32, and the seconds that it waited and ran.

    `started_s` is `time.perf_counter()` when its batch began, `span` the batch's, where it is traced.
    """

    output: Array
    queue_s: float
    infer_s: float
    started_s: float = 0.0
    span: Span | None = None


@dataclass(slots=True, eq=False)
class Row:
    """One row on its way. `length` is its dynamic length: token ids, or samples; `rank` orders rows by age.

    `enqueued_s` is `time.perf_counter()`, `deadline_s` the event loop's time when the answer is no longer wanted,
    `span` the request's, where it is traced.
    """

    inputs: RowInputs
    length: int
    rank: float
    priority: Priority
    enqueued_s: float
    future: Future[RowResult]
    deadline_s: float = math.inf
    span: Span | None = None
    waiting: bool = False


@dataclass(slots=True)
class RowQueue:
    """Waiting rows of one model; its length counts those whose caller still waits.

    `bounds` are the length buckets' upper bounds, ascending; may be empty.
    """

    bounds: tuple[int, ...]
    _lanes: dict[tuple[int, Priority], deque[Row]] = field(default_factory=dict)
    _size: int = 0

    def __len__(self) -> int:
        return self._size

    def bucket(self, length: int) -> int:
        """Index of the bucket that `length` falls into; the last one takes what is longer than every bound."""
        return min(bisect.bisect_left(self.bounds, length), max(0, len(self.bounds) - 1))

    def bound(self, length: int) -> int | None:
        """Upper bound of that bucket; None when there are no buckets or the row is longer than all."""
        index = self.bucket(length)
        return self.bounds[index] if self.bounds and length <= self.bounds[index] else None

    def push(self, row: Row) -> None:
        """Append a row to its bucket's lane."""
        self._lanes.setdefault((self.bucket(row.length), row.priority), deque()).append(row)
        row.waiting = True
        self._size += 1

    def abandon(self, row: Row) -> None:
        """Give back the place and the memory of a row whose caller has gone; its husk leaves with its neighbours."""
        if row.waiting:
            row.waiting = False
            row.inputs = {}
            self._size -= 1

    def take(self, limit: int, max_positions: int | None = None) -> list[Row]:
        """Remove and return the next batch: at most `limit` rows of one bucket, the longest waiting one's.

        `max_positions` bounds rows × the bucket's bound, so that long rows run in smaller batches; one row always may.
        Abandoned rows are dropped on the way. Empty when nothing waits.
        """
        head: Row | None = None
        for lane in self._lanes.values():
            first = self._first_alive(lane)
            if first is not None and (head is None or first.rank < head.rank):
                head = first
        if head is None:
            return []
        if max_positions is not None:
            longest = max(1, self.bound(head.length) or head.length)
            limit = max(1, min(limit, max_positions // longest))
        rows: list[Row] = []
        bucket = self.bucket(head.length)
        for priority in (head.priority, *(p for p in Priority if p != head.priority)):
            lane = self._lanes.get((bucket, priority), deque())
            while len(rows) < limit and self._first_alive(lane) is not None:
                rows.append(self._pop(lane))
        return rows

    def _first_alive(self, lane: deque[Row]) -> Row | None:
        while lane and not lane[0].waiting:
            lane.popleft()
        return lane[0] if lane else None

    def _pop(self, lane: deque[Row]) -> Row:
        row = lane.popleft()
        row.waiting = False
        self._size -= 1
        return row
