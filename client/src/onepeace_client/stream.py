"""What every stream does, whatever carries it: pack items as they come, give their answers out in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onepeace_client.answers import Embedding
from onepeace_client.batches import Answered, Batch, Packer
from onepeace_client.encodings import blank
from onepeace_client.entries import EmbeddedPart
from onepeace_client.errors import BY_CODE, InputProblem, ProtocolError, error_class
from onepeace_client.exchange import Exchange
from onepeace_client.items import Fused, check_item
from onepeace_client.script import Script
from onepeace_client.wire import EmbedOptions

AHEAD_BODIES = 2  # of the largest size


@dataclass(slots=True)
class Stream:
    """One stream.

    Attributes:
        embed: the script that sends a batch as a request of its own.
    """

    packer: Packer
    options: EmbedOptions
    embed: Callable[[Batch], Script[list[Answered]]]
    exchange: Exchange
    _count: int = field(default=0, init=False)
    _fingerprint: str | None = field(default=None, init=False)

    @property
    def ahead_bytes(self) -> int:
        """Bytes that may be under way, or answered and not yet taken, before the next item is read."""
        return AHEAD_BODIES * self.packer.limits.max_body_bytes

    def add(self, item: Any) -> Batch | None:
        """Check and read the next item; the batch that is full, if one is.

        Raises:
            TypeError, ValueError, OSError, OnePeaceError: the item can't be sent.
        """
        index = self._count
        self._count += 1
        return self.packer.add(index, check_item(item, f"items[{index}]", (Fused,)))

    def rest(self) -> Batch | None:
        """What was read and is in no batch yet."""
        return self.packer.rest()

    def embeddings(self, answered: Sequence[Answered]) -> Iterator[Embedding]:
        """Answers in the order of the items.

        Raises:
            OnePeaceError: an item was wrong, unless errors are to be reported.
            ProtocolError: the server has another model now.
        """
        found = [embedding for batch, part in answered for embedding in self._of_batch(batch, part)]
        for embedding in sorted(found, key=lambda embedding: embedding.index):
            if embedding.error is not None:
                self._raise_unless_reported(embedding.error)
            yield embedding

    def _of_batch(self, batch: Batch, part: EmbeddedPart | None) -> Iterator[Embedding]:
        for index, problem in batch.errors.items():
            yield self._without_vector(index, problem)
        if part is None:
            return
        self._fingerprint = self._fingerprint or part.fingerprint
        if part.fingerprint != self._fingerprint:
            raise ProtocolError("items of one stream were answered by different models: their fingerprints differ")
        for row, index in enumerate(batch.indexes):
            yield Embedding(
                {encoding: rows[row] for encoding, rows in part.encoded.items()},
                part.model,
                part.fingerprint,
                index,
                part.inputs[row],
                _placed(part.errors.get(index), index),
                part.windows.get(row),
            )

    def _without_vector(self, index: int, problem: InputProblem) -> Embedding:
        info, dimensions = self.packer.limits, self.options.dimensions or self.packer.limits.dimensions
        encoded = {encoding: blank(encoding, 1, dimensions)[0] for encoding in self.options.encodings}
        return Embedding(encoded, info.model, info.fingerprint, index, None, problem)

    def _raise_unless_reported(self, problem: InputProblem) -> None:
        if self.options.on_error == "report":
            return
        kind, status = BY_CODE.get(problem.code, (error_class(problem.code, 422), 422))
        raise kind(problem.detail, code=problem.code, status=status, errors=[problem])


def _placed(problem: InputProblem | None, index: int) -> InputProblem | None:
    """Over gRPC an item that the server has no room for has no pointer."""
    return problem if problem is None or problem.pointer else replace(problem, pointer=f"/inputs/{index}")
