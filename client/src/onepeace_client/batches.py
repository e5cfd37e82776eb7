"""A long list in requests that the server takes: within its limits on items and bytes, read only when needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from onepeace_client.answers import Info
from onepeace_client.contents import AnyContent, Source, UnknownFile
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
    """

    sources: list[tuple[int, Source]] = field(default_factory=list)
    contents: list[AnyContent] = field(default_factory=list)
    errors: dict[int, InputProblem] = field(default_factory=dict)

    @property
    def indexes(self) -> list[int]:
        """Place of each content in the caller's list."""
        return [index for index, _ in self.sources]

    @property
    def items(self) -> int:
        """How many items the server counts."""
        return sum(source.parts for _, source in self.sources)


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs sources into batches; `report` keeps going past an item that can't be sent.

    `composed`: fused items or vectors are among the sources.
    """

    wire: Wire
    limits: Info
    share: Share
    composed: bool
    report: bool = False

    def pack(self, sources: Iterable[tuple[int, Source]]) -> Iterator[Batch]:
        """Batches in order, of sources with their places; holds one batch and one item beyond it in memory.

        Fused items stay whole.

        Raises:
            OSError, UnknownFile, InvalidInput, RequestRefused: an item can't be sent, and `report` is off.
        """
        batch, items, size = Batch(), 0, FRAME_BYTES
        for index, source in sources:
            problem: InputProblem | None = None
            try:
                content = source.load()
            except (OSError, UnknownFile) as error:
                if not self.report:
                    raise
                problem = InputProblem(f"/inputs/{index}", "unreadable_file", str(error))
            else:
                added = self.wire.body_bytes(content, self.composed)
                problem = self._too_large(index, source, added)
            if problem is not None:
                batch.errors[index] = problem
                continue
            most = min(self.limits.max_items, self.share.items)
            if batch.contents and (items + source.parts > most or size + added > self.limits.max_body_bytes):
                yield batch
                batch, items, size = Batch(), 0, FRAME_BYTES
            batch.sources.append((index, source))
            batch.contents.append(content)
            items, size = items + source.parts, size + added
        if batch.contents or batch.errors:
            yield batch

    def _too_large(self, index: int, source: Source, added: int) -> InputProblem | None:
        """What is wrong with an item that no request can hold."""
        pointer, most = f"/inputs/{index}", self.limits.max_body_bytes
        if source.parts > self.limits.max_items:
            detail = "a fused item has more parts than a request may have items"
            problem = InputProblem(pointer, "too_many_items", detail, self.limits.max_items, source.parts)
            if not self.report:
                raise InvalidInput(f"{source.place}: {detail}", code=problem.code, errors=[problem])
        elif added > most:
            detail = "the item is larger than a request's body may be"
            problem = InputProblem(pointer, "body_too_large", detail, most, added)
            if not self.report:
                raise RequestRefused(f"{source.place}: {detail}", code=problem.code, errors=[problem])
        else:
            return None
        return problem
