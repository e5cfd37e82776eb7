"""A long list in requests that the server takes: within its limits on items and bytes, read only when needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from onepeace_client.answers import Info
from onepeace_client.contents import AnyContent, Source, UnknownFile
from onepeace_client.errors import InputProblem, InvalidInput, RequestRefused
from onepeace_client.wire import Wire

FRAME_BYTES = 2048  # of a body, around its items: options, the last boundary


@dataclass(slots=True)
class Batch:
    """The items of one request, and those that could not be sent.

    Attributes:
        indexes: place of each content in the caller's list.
        errors: what was wrong with an item on this side, by its place.
    """

    indexes: list[int] = field(default_factory=list)
    contents: list[AnyContent] = field(default_factory=list)
    errors: dict[int, InputProblem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs sources into batches; `report` keeps going past an item that can't be sent."""

    wire: Wire
    limits: Info
    report: bool = False

    def pack(self, sources: Iterable[Source], *, composed: bool) -> Iterator[Batch]:
        """Batches in order; holds one batch and one item beyond it in memory. Fused items stay whole.

        Raises:
            OSError, UnknownFile, InvalidInput, RequestRefused: an item can't be sent, and `report` is off.
        """
        batch, items, size = Batch(), 0, FRAME_BYTES
        for index, source in enumerate(sources):
            problem: InputProblem | None = None
            try:
                content = source.load()
            except (OSError, UnknownFile) as error:
                if not self.report:
                    raise
                problem = InputProblem(f"/inputs/{index}", "unreadable_file", str(error))
            else:
                added = self.wire.body_bytes(content, composed)
                problem = self._too_large(index, source, added)
            if problem is not None:
                batch.errors[index] = problem
                continue
            if batch.contents and (
                items + source.parts > self.limits.max_items or size + added > self.limits.max_body_bytes
            ):
                yield batch
                batch, items, size = Batch(), 0, FRAME_BYTES
            batch.indexes.append(index)
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
