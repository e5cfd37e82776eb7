"""What each call does, as scripts: ask for limits, split, send, put answers together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onepeace_client import comparison
from onepeace_client.answers import Boxes, Embeddings, Info, Labels, Note, Similarities
from onepeace_client.batches import Batch, Packer, Share
from onepeace_client.contents import Source
from onepeace_client.errors import DeadlineExceeded, InputProblem, OnePeaceError, ProtocolError, RequestRefused
from onepeace_client.exchange import Exchange
from onepeace_client.script import Deadline, Script, spread, work
from onepeace_client.wire import ClassifyOptions, EmbeddedPart, EmbedOptions, Outgoing, Reply, Windows, Wire

INFO_LIFE_S = 300.0  # limits change when a server is started anew
BROKEN_LIMITS = ("too_many_items", "body_too_large")
Answered = tuple[Batch, EmbeddedPart | None]


class Calls:
    """One client's calls. They share what the server said of its limits, and how much it gets done."""

    def __init__(self, wire: Wire, exchange: Exchange) -> None:
        self._wire, self._exchange = wire, exchange
        self._info: Info | None = None
        self._info_until_s = 0.0
        self._share = Share()

    def info(self, deadline: Deadline) -> Script[Info]:
        """What is served, asked anew."""
        info = self._wire.read_info((yield from self._exchange.send(self._wire.info(), deadline)))
        self._info, self._info_until_s = info, time.monotonic() + INFO_LIFE_S
        self._share.widen()
        return info

    def embed(self, sources: Sequence[Source], options: EmbedOptions, deadline: Deadline) -> Script[Embeddings]:
        """Vectors of all items."""
        info = yield from self._known_info(deadline)
        packer = self._packer(info, sources, report=options.on_error == "report")
        batches = packer.pack(enumerate(sources))
        try:
            parts = yield from spread(self._embed_batch(packer, batch, options, deadline) for batch in batches)
        except OnePeaceError as error:
            if error.code in BROKEN_LIMITS:
                self._info = None
            raise
        return _join([answered for part in parts for answered in part], len(sources), info)

    def similarity(
        self, queries: Sequence[Source], candidates: Sequence[Source], probabilities: bool, deadline: Deadline
    ) -> Script[Similarities]:
        """Cosines: the server's if all fits into one request, else from vectors that many requests gave."""
        info = yield from self._known_info(deadline)
        outgoing = yield from work(lambda: self._one_comparison(queries, candidates, probabilities, info))
        if outgoing is not None:
            try:
                return self._wire.read_similarity((yield from self._exchange.send(outgoing, deadline)))
            except DeadlineExceeded as error:
                self._ask_for_less(error, len(queries) + len(candidates))
        lists = (("queries", queries), ("candidates", candidates))
        pointers = [f"/{name}/{i}" for name, sources in lists for i in range(len(sources))]
        every = [*queries, *candidates]
        missing = [index for index, source in enumerate(every) if source.vector is None]
        try:
            embedded = yield from self.embed([every[index] for index in missing], EmbedOptions(), deadline)
        except OnePeaceError as error:
            error.errors = tuple(_moved(problem, [pointers[index] for index in missing]) for problem in error.errors)
            raise
        own = {index: source.vector for index, source in enumerate(every) if source.vector is not None}
        vectors = comparison.complete(embedded, missing, own, pointers, info)
        cosines = comparison.cosines(vectors[: len(queries)], vectors[len(queries) :])
        scale = comparison.logit_scale(info) if probabilities else None
        contrast = None if scale is None else comparison.contrast(cosines, scale)
        return Similarities(embedded.model, embedded.fingerprint, cosines, contrast)

    def ground(self, source: Source, phrases: Sequence[str], deadline: Deadline) -> Script[Boxes]:
        """A box for each phrase; many phrases go in several requests, each with the picture."""
        most = (yield from self._known_info(deadline)).max_items
        image = yield from work(source.load_content)
        starts = range(0, len(phrases), most)
        parts = yield from spread(
            self._ground_some(self._wire.ground(image, phrases[start : start + most]), start, deadline)
            for start in starts
        )
        _check_one_model(parts)
        return replace(
            parts[0],
            phrases=tuple(phrase for part in parts for phrase in part.phrases),
            boxes=np.concatenate([part.boxes for part in parts]),
            boxes_normalized=np.concatenate([part.boxes_normalized for part in parts]),
        )

    def classify(
        self, source: Source, labels: Sequence[str], options: ClassifyOptions, deadline: Deadline
    ) -> Script[Labels]:
        """Which of the caller's labels fits."""
        outgoing = yield from work(lambda: self._wire.classify(source.load(), labels, options))
        return self._wire.read_classify((yield from self._send_whole(outgoing, deadline)))

    def audio_labels(self, source: Source, top_k: int, windows: Windows | None, deadline: Deadline) -> Script[Labels]:
        """The trained head's labels."""
        outgoing = yield from work(lambda: self._wire.audio_labels(source.load_content(), top_k, windows))
        return self._wire.read_audio_labels((yield from self._send_whole(outgoing, deadline)))

    def _send_whole(self, outgoing: Outgoing, deadline: Deadline) -> Script[Reply]:
        """Send what can't be divided.

        Raises:
            RequestRefused: it is larger than the server takes, which gRPC's transport would not tell apart.
        """
        size, most = len(outgoing.body), (yield from self._known_info(deadline)).max_body_bytes
        if size > most:
            detail = "the request is larger than its body may be"
            problem = InputProblem("", "body_too_large", detail, most, size)
            raise RequestRefused(detail, code=problem.code, errors=[problem])
        return (yield from self._exchange.send(outgoing, deadline))

    def _known_info(self, deadline: Deadline) -> Script[Info]:
        if self._info is None or time.monotonic() > self._info_until_s:
            return (yield from self.info(deadline))
        return self._info

    def _packer(self, info: Info, sources: Sequence[Source], *, report: bool = False) -> Packer:
        return Packer(self._wire, info, self._share, any(source.composed for source in sources), report)

    def _embed_batch(
        self, packer: Packer, batch: Batch, options: EmbedOptions, deadline: Deadline
    ) -> Script[list[Answered]]:
        if not batch.contents:
            return [(batch, None)]
        outgoing = yield from work(lambda: self._wire.embed(batch.contents, options))
        batch.contents = batch.contents[:0]  # the body has them now
        indexes = batch.indexes
        places = [f"/inputs/{index}" for index in indexes]
        try:
            part = self._wire.read_embed((yield from self._exchange.send(outgoing, deadline)))
        except DeadlineExceeded as error:
            self._ask_for_less(error, batch.items)
            return (yield from self._embed_anew(packer, batch, options, deadline))
        except OnePeaceError as error:
            if packer.report and len(places) == 1 and error.code == "body_too_large":
                batch.errors[indexes[0]] = InputProblem(places[0], error.code, error.detail)
                return [(batch, None)]
            error.errors = tuple(_moved(problem, places) for problem in error.errors)
            raise
        if len(part.vectors) != len(places):
            raise ProtocolError(f"{len(part.vectors)} vectors came for {len(places)} items")
        errors = {indexes[index]: _moved(problem, places) for index, problem in part.errors.items()}
        return [(batch, replace(part, errors=errors))]

    def _embed_anew(
        self, packer: Packer, batch: Batch, options: EmbedOptions, deadline: Deadline
    ) -> Script[list[Answered]]:
        """A batch in smaller ones, one after the other, because the server has enough to do."""
        smaller = packer.pack(batch.sources)
        answered: list[Answered] = [(replace(batch, sources=[]), None)]
        while (part := (yield from work(lambda: next(smaller, None)))) is not None:
            answered += yield from self._embed_batch(packer, part, options, deadline)
        return answered

    def _ask_for_less(self, error: DeadlineExceeded, items: int) -> None:
        """Make requests smaller when the server's deadline was too short for so many items.

        This adds few requests to an outage: the client's other requests get smaller, too.

        Raises:
            DeadlineExceeded: it was the call's own deadline, or there is nothing to divide.
        """
        if error.status is None or items < 2:
            raise error
        self._share.narrow(items)

    def _one_comparison(
        self, queries: Sequence[Source], candidates: Sequence[Source], probabilities: bool, info: Info
    ) -> Outgoing | None:
        every = [*queries, *candidates]
        contents = next(self._packer(info, every).pack(enumerate(every))).contents
        if len(contents) < len(every):
            return None
        return self._wire.similarity(contents[: len(queries)], contents[len(queries) :], probabilities)

    def _ground_some(self, outgoing: Outgoing, start: int, deadline: Deadline) -> Script[Boxes]:
        try:
            return self._wire.read_ground((yield from self._send_whole(outgoing, deadline)))
        except OnePeaceError as error:
            error.errors = tuple(_later(problem, "/phrases/", start) for problem in error.errors)
            raise


def _join(parts: Sequence[Answered], count: int, info: Info) -> Embeddings:
    answered = [(batch, part) for batch, part in parts if part is not None]
    _check_one_model([part for _, part in answered])
    first = answered[0][1] if answered else None
    dimensions = first.vectors.shape[1] if first else info.dimensions
    vectors = np.full((count, dimensions), np.nan, dtype=np.float32)
    inputs: list[Note | None] = [None] * count
    errors = {index: problem for batch, _ in parts for index, problem in batch.errors.items()}
    windows = {batch.indexes[place]: found for batch, part in answered for place, found in part.windows.items()}
    for batch, part in answered:
        vectors[batch.indexes] = part.vectors
        errors.update(part.errors)
        for index, note in zip(batch.indexes, part.inputs, strict=True):
            inputs[index] = note
    source = first or info
    return Embeddings(source.model, source.fingerprint, vectors, tuple(inputs), dict(sorted(errors.items())), windows)


def _check_one_model(parts: Sequence[EmbeddedPart] | Sequence[Boxes]) -> None:
    if len({part.fingerprint for part in parts}) > 1:
        raise ProtocolError("parts of one call were answered by different models: their fingerprints differ")


def _moved(problem: InputProblem, places: Sequence[str]) -> InputProblem:
    """The problem at `/inputs/i/…` of a request, at `places[i]` of the caller's lists."""
    steps = problem.pointer.split("/", 3)
    if len(steps) < 3 or steps[1] != "inputs" or not steps[2].isdecimal() or int(steps[2]) >= len(places):
        return problem
    return replace(problem, pointer="/".join((places[int(steps[2])], *steps[3:])))


def _later(problem: InputProblem, prefix: str, start: int) -> InputProblem:
    """The problem at `/phrases/i` of a request whose first phrase was the caller's `start`-th."""
    index = problem.pointer.removeprefix(prefix)
    known = problem.pointer.startswith(prefix) and index.isdecimal()
    return replace(problem, pointer=f"{prefix}{int(index) + start}") if known else problem
