"""What each call does, as scripts: ask for limits, split, send, put answers together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onepeace_client import comparison
from onepeace_client.answers import Boxes, Embeddings, Info, Labels, Note, Similarities
from onepeace_client.batches import Answered, Batch, Packer, Share
from onepeace_client.contents import Source
from onepeace_client.encodings import Encoding, blank
from onepeace_client.entries import EmbeddedPart
from onepeace_client.errors import DeadlineExceeded, InputProblem, OnePeaceError, ProtocolError, RequestRefused
from onepeace_client.exchange import Exchange
from onepeace_client.pointers import later, located, moved
from onepeace_client.script import Deadline, Script, spread, work
from onepeace_client.stream import Stream
from onepeace_client.wire import ClassifyOptions, EmbedOptions, Outgoing, Reply, Windows, Wire

INFO_LIFE_S = 300.0  # limits change when a server is started anew
BROKEN_LIMITS = ("too_many_items", "body_too_large")


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
        packer = self._packer(info, report=options.on_error == "report")
        batches = packer.pack(enumerate(sources))
        try:
            parts = yield from spread(self.embed_batch(packer, batch, options, deadline) for batch in batches)
        except OnePeaceError as error:
            if error.code in BROKEN_LIMITS:
                self._info = None
            raise
        return _join([answered for part in parts for answered in part], len(sources), info, options.encodings)

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
            error.errors = tuple(moved(problem, [pointers[index] for index in missing]) for problem in error.errors)
            raise
        own = {index: source.vector for index, source in enumerate(every) if source.vector is not None}
        vectors = comparison.complete(embedded, missing, own, pointers, info)
        cosines = comparison.cosines(vectors[: len(queries)], vectors[len(queries) :])
        scale = comparison.logit_scale(info) if probabilities else None
        contrast = None if scale is None else comparison.contrast(cosines, scale)
        return Similarities(embedded.model, embedded.fingerprint, cosines, contrast)

    def stream(self, options: EmbedOptions) -> Script[Stream]:
        """A stream, for the items to come."""
        deadline = Deadline(None)
        packer = self._packer((yield from self._known_info(deadline)), report=options.on_error == "report")
        packer = replace(packer, most_items=self._wire.stream_items)
        each = replace(options, on_error="report")  # so that a wrong item leaves the others of its request alone

        def embed(batch: Batch) -> Script[list[Answered]]:
            return self.embed_batch(packer, batch, each, deadline)

        return Stream(packer, options, embed, self._exchange)

    def ground(self, source: Source, phrases: Sequence[str], scores: bool, deadline: Deadline) -> Script[Boxes]:
        """A box for each phrase; many phrases go in several requests, each with the picture."""
        most = (yield from self._known_info(deadline)).max_items
        image = yield from work(source.load_media)
        starts = range(0, len(phrases), most)
        parts = yield from spread(
            self._ground_some(self._wire.ground(image, phrases[start : start + most], scores), start, deadline)
            for start in starts
        )
        return _joined_boxes(parts)

    def classify(
        self, source: Source, labels: Sequence[str], options: ClassifyOptions, deadline: Deadline
    ) -> Script[Labels]:
        """Which of the caller's labels fits."""
        outgoing = yield from work(lambda: self._wire.classify(source.load(), labels, options))
        return self._wire.read_classify((yield from self._send_whole(outgoing, deadline)))

    def audio_labels(self, source: Source, top_k: int, windows: Windows | None, deadline: Deadline) -> Script[Labels]:
        """The trained head's labels."""
        outgoing = yield from work(lambda: self._wire.audio_labels(source.load_media(), top_k, windows))
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

    def _packer(self, info: Info, *, report: bool = False) -> Packer:
        return Packer(self._wire, info, self._share, report)

    def embed_batch(
        self, packer: Packer, batch: Batch, options: EmbedOptions, deadline: Deadline
    ) -> Script[list[Answered]]:
        """Vectors of a batch, which is divided if the server's deadline was too short for it."""
        if not batch.contents:
            return [(batch, None)]
        outgoing = yield from work(lambda: self._wire.embed(batch.contents, options))
        batch.contents = batch.contents[:0]  # the body has them now
        indexes = batch.indexes
        try:
            part = self._wire.read_embed((yield from self._exchange.send(outgoing, deadline)), options)
        except DeadlineExceeded as error:
            self._ask_for_less(error, batch.items)
            return (yield from self._embed_anew(packer, batch, options, deadline))
        except OnePeaceError as error:
            places = [f"/inputs/{index}" for index in indexes]
            if len(places) > 1 and _is_too_much(error):
                smaller = replace(packer, most_items=batch.items // 2)
                return (yield from self._embed_anew(smaller, batch, options, deadline))
            if packer.report and len(places) == 1 and (error.code == "body_too_large" or _is_too_much(error)):
                batch.errors[indexes[0]] = InputProblem(places[0], error.code, error.detail)
                return [(batch, None)]
            error.errors = tuple(moved(problem, places) for problem in error.errors)
            raise
        if len(part.inputs) != len(indexes):
            raise ProtocolError(f"{len(part.inputs)} vectors came for {len(indexes)} items")
        return [(batch, located(part, indexes))]

    def _embed_anew(
        self, packer: Packer, batch: Batch, options: EmbedOptions, deadline: Deadline
    ) -> Script[list[Answered]]:
        """A batch in smaller ones, one after the other, because the server has enough to do."""
        smaller = packer.pack(batch.sources)
        answered: list[Answered] = [(replace(batch, sources=[]), None)]
        while (part := (yield from work(lambda: next(smaller, None)))) is not None:
            answered += yield from self.embed_batch(packer, part, options, deadline)
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
        contents = next(self._packer(info).pack(enumerate(every))).contents
        if len(contents) < len(every):
            return None
        return self._wire.similarity(contents[: len(queries)], contents[len(queries) :], probabilities)

    def _ground_some(self, outgoing: Outgoing, start: int, deadline: Deadline) -> Script[Boxes]:
        try:
            return self._wire.read_ground((yield from self._send_whole(outgoing, deadline)))
        except OnePeaceError as error:
            error.errors = tuple(later(problem, "/phrases/", start) for problem in error.errors)
            raise


def _join(parts: Sequence[Answered], count: int, info: Info, encodings: Sequence[Encoding]) -> Embeddings:
    answered = [(batch, part) for batch, part in parts if part is not None]
    _check_one_model([part for _, part in answered])
    dimensions = answered[0][1].dimensions if answered else info.dimensions
    encoded = {encoding: blank(encoding, count, dimensions) for encoding in encodings}
    inputs: list[Note | None] = [None] * count
    errors = {index: problem for batch, _ in parts for index, problem in batch.errors.items()}
    windows = {batch.indexes[place]: found for batch, part in answered for place, found in part.windows.items()}
    for batch, part in answered:
        for encoding in encodings:
            encoded[encoding][batch.indexes] = part.encoded[encoding]
        errors.update(part.errors)
        for index, note in zip(batch.indexes, part.inputs, strict=True):
            inputs[index] = note
    source = answered[0][1] if answered else info
    return Embeddings(encoded, source.model, source.fingerprint, tuple(inputs), dict(sorted(errors.items())), windows)


def _joined_boxes(parts: Sequence[Boxes]) -> Boxes:
    _check_one_model(parts)
    scores = [part.scores for part in parts if part.scores is not None]
    return replace(
        parts[0],
        phrases=tuple(phrase for part in parts for phrase in part.phrases),
        boxes=np.concatenate([part.boxes for part in parts]),
        boxes_normalized=np.concatenate([part.boxes_normalized for part in parts]),
        scores=np.concatenate(scores) if scores else None,
    )


def _is_too_much(error: OnePeaceError) -> bool:
    """Whether items are too much together, or one by what it holds: its windows, say, or what it decodes to."""
    return error.code == "too_many_items" and not any(problem.pointer for problem in error.errors)


def _check_one_model(parts: Sequence[EmbeddedPart] | Sequence[Boxes]) -> None:
    if len({part.fingerprint for part in parts}) > 1:
        raise ProtocolError("parts of one call were answered by different models: their fingerprints differ")
