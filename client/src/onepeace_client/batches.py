"""A long list in requests that the server takes: within its limits on items and bytes, read only when needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from onepeace_client.answers import Info
from onepeace_client.contents import AnyContent, Source, UnknownFile
from onepeace_client.entries import EmbeddedPart
from onepeace_client.errors import InputProblem, InvalidInput, RequestRefused
from onepeace_client.wire import Wire

FRAME_BYTES = 2048  # of a body, around its items: options, the last boundary


@dataclass(slots=True)
class Share:
    """How many items a server gets done in one request, as far as known; fused ones count for their parts.

    It is halved when the server's deadline was too short for a request, and doubled when limits are asked anew, so that
    a slow moment is not for ever.
    """

    items: float = math.inf

    def narrow(self, count: int) -> None:
        """`count` items, 2 or more, were too many."""
        self.items = min(self.items, count // 2)

    def widen(self) -> None:
        """Let more be tried."""
        self.items *= 2


@dataclass(slots=True)
class Batch:
    """The items of one request, and those that could not be sent.

    Attributes:
        sources: of the contents, with their places in the caller's list.
        errors: what was wrong with an item on this side, by its place.
        items: how many the server counts.
        size: bound of the body's bytes.
    """

    sources: list[tuple[int, Source]] = field(default_factory=list)
    contents: list[AnyContent] = field(default_factory=list)
    errors: dict[int, InputProblem] = field(default_factory=dict)
    items: int = 0
    size: int = FRAME_BYTES
    _composed: bool = False
    _composed_size: int = FRAME_BYTES

    @property
    def indexes(self) -> list[int]:
        """Place of each content in the caller's list."""
        return [index for index, _ in self.sources]

    def size_with(self, source: Source, content: AnyContent, wire: Wire) -> int:
        """Bound of the body's bytes with one more item."""
        if self._composed or source.composed:
            return self._composed_size + wire.body_bytes(content, composed=True)
        return self.size + wire.body_bytes(content, composed=False)

    def add(self, index: int, source: Source, content: AnyContent, wire: Wire) -> None:
        """Put in one more item."""
        self.size = self.size_with(source, content, wire)
        self._composed_size += wire.body_bytes(content, composed=True)
        self._composed = self._composed or source.composed
        self.items += source.parts
        self.sources.append((index, source))
        self.contents.append(content)


Answered = tuple[Batch, EmbeddedPart | None]
"""A batch and what the server said to its items, if any could be sent."""


@dataclass(slots=True)
class Packer:
    """Packs sources into batches: in order, with one batch and one item beyond it in memory. Fused items stay whole.

    Attributes:
        report: an item that can't be sent becomes an error of its batch.
        most_items: of one batch, beside the server's limit.
    """

    wire: Wire
    limits: Info
    share: Share
    report: bool = False
    most_items: float = math.inf
    _batch: Batch = field(default_factory=Batch)

    def pack(self, sources: Iterable[tuple[int, Source]]) -> Iterator[Batch]:
        """Batches of sources with their places.

        Raises:
            OSError, UnknownFile, InvalidInput, RequestRefused: an item can't be sent, and `report` is off.
        """
        packer = replace(self, _batch=Batch())
        for index, source in sources:
            if (full := packer.add(index, source)) is not None:
                yield full
        if (rest := packer.rest()) is not None:
            yield rest

    def add(self, index: int, source: Source) -> Batch | None:
        """Read one more item; the batch that is full, if one is.

        Raises:
            OSError, UnknownFile, InvalidInput, RequestRefused: the item can't be sent, and `report` is off.
        """
        try:
            content = source.load()
            self._check(index, source, content)
        except (OSError, UnknownFile) as error:
            if not self.report:
                raise
            self._batch.errors[index] = InputProblem(f"/inputs/{index}", "unreadable_file", str(error))
            return self._full()
        except (InvalidInput, RequestRefused) as error:
            if not self.report:
                raise
            self._batch.errors[index] = error.errors[0]
            return self._full()
        full: Batch | None = None
        size = self._batch.size_with(source, content, self.wire)
        items = self._batch.items + source.parts
        if self._batch.contents and (items > self._most() or size > self.limits.max_body_bytes):
            full = self.rest()
        self._batch.add(index, source, content, self.wire)
        return full or self._full()

    def rest(self) -> Batch | None:
        """What has not been given yet, if there is anything."""
        batch, self._batch = self._batch, Batch()
        return batch if batch.contents or batch.errors else None

    def _most(self) -> float:
        return min(self.limits.max_items, self.share.items, self.most_items)

    def _full(self) -> Batch | None:
        """The batch, if it has no room for another item: its own must not wait for that."""
        return self.rest() if self._batch.items + len(self._batch.errors) >= self._most() else None

    def _check(self, index: int, source: Source, content: AnyContent) -> None:
        """Refuse an item that no request can hold.

        Raises:
            InvalidInput, RequestRefused: with its one problem.
        """
        pointer, most = f"/inputs/{index}", self.limits.max_body_bytes
        if source.parts > self.limits.max_items:
            detail = "a fused item has more parts than a request may have items"
            problem = InputProblem(pointer, "too_many_items", detail, self.limits.max_items, source.parts)
            raise InvalidInput(f"{source.place}: {detail}", code=problem.code, errors=[problem])
        size = self.wire.body_bytes(content, source.composed)
        if size > most:
            detail = "the item is larger than a request's body may be"
            problem = InputProblem(pointer, "body_too_large", detail, most, size)
            raise RequestRefused(f"{source.place}: {detail}", code=problem.code, errors=[problem])
