"""The gRPC protocol: the messages of `proto/onepeace/v1/onepeace.proto`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from onepeace_client.answers import Answer, Boxes, Info, Labels, Similarities, WindowLabels
from onepeace_client.contents import (
    AnyContent,
    FusedContent,
    MediaContent,
    PartContent,
    TokensContent,
    UrlContent,
    VectorContent,
)
from onepeace_client.encodings import DTYPES, Encoding
from onepeace_client.entries import CORNERS, EmbeddedPart, Entry, Forms, corners, embedded_part, given_numbers
from onepeace_client.errors import OnePeaceError, ProtocolError
from onepeace_client.generated import onepeace_pb2 as pb
from onepeace_client.grpc_status import input_problem, read_failure
from onepeace_client.wire import ClassifyOptions, EmbedOptions, Outgoing, Reply, Windows

SERVICE = "/onepeace.v1.OnePeaceService/"
STREAM_PATH = SERVICE + "EmbedStream"
FIELD_BYTES = 32  # of an item's tags and lengths
ON_ERROR = {"fail": pb.ON_ERROR_FAIL, "report": pb.ON_ERROR_REPORT}
ENCODINGS: dict[Encoding, Any] = {"float": pb.ENCODING_FLOAT, "int8": pb.ENCODING_INT8, "binary": pb.ENCODING_BINARY}
FIELDS: dict[Encoding, str] = {"float": "float32", "int8": "int8", "binary": "binary"}
ID_BYTES = 5  # of one id, packed


class GrpcWire:
    """Implements `Wire` for gRPC."""

    stream_items = 1  # each is answered when it is done

    def body_bytes(self, content: AnyContent, composed: bool) -> int:
        """Upper bound of what an item adds to a message."""
        if isinstance(content, FusedContent):
            return FIELD_BYTES + sum(8 + self.body_bytes(part, composed) for part in content.parts)
        if isinstance(content, VectorContent):
            return FIELD_BYTES + content.values.nbytes + len(content.fingerprint or "")
        if isinstance(content, TokensContent):
            return FIELD_BYTES + ID_BYTES * len(content.ids)
        return FIELD_BYTES + len(content.url.encode() if isinstance(content, UrlContent) else content.data)

    def failure(self, reply: Reply) -> OnePeaceError | None:
        """The error that a status carries."""
        return read_failure(reply)

    def info(self) -> Outgoing:
        """Call Info."""
        return _call("Info", pb.InfoRequest())

    def read_info(self, reply: Reply) -> Info:
        """What is served, with the names and numbers that REST has."""
        with _reading(reply, pb.InfoResponse) as message:
            whole = _plain(message)
            limits, models = whole.get("limits", {}), whole.get("models", {})
            return Info(*_source(message), message.dimensions, message.version, limits, models, whole)

    def embed(self, contents: Sequence[AnyContent], options: EmbedOptions) -> Outgoing:
        """Call Embed."""
        request = pb.EmbedRequest(inputs=[_item(content) for content in contents], on_error=ON_ERROR[options.on_error])
        _set_options(request, options)
        return _call("Embed", request)

    def read_embed(self, reply: Reply, options: EmbedOptions) -> EmbeddedPart:
        """Vectors."""
        with _reading(reply, pb.EmbedResponse) as message:
            return _embedded(message, message.data, options)

    def stream_message(self, number: int, content: AnyContent, options: EmbedOptions) -> bytes:
        """A message of an EmbedStream: one item, whose id is its `number`, with its options."""
        request = pb.EmbedStreamRequest(items=[pb.StreamItem(id=str(number), item=_item(content))])
        _set_options(request.options, options)
        data: bytes = request.SerializeToString()
        return data

    def read_stream(self, data: bytes, options: EmbedOptions) -> tuple[int, EmbeddedPart]:
        """The number of an item of an EmbedStream, and its vector."""
        with _reading(Reply(0, {}, data), pb.EmbedStreamResponse) as message:
            return int(message.id), _embedded(message, [message.embedding], options)

    def similarity(
        self, queries: Sequence[AnyContent], candidates: Sequence[AnyContent], probabilities: bool
    ) -> Outgoing:
        """Call Similarity."""
        asked, offered = [_item(content) for content in queries], [_item(content) for content in candidates]
        request = pb.SimilarityRequest(queries=asked, candidates=offered, probabilities=probabilities)
        return _call("Similarity", request)

    def read_similarity(self, reply: Reply) -> Similarities:
        """Cosines."""
        with _reading(reply, pb.SimilarityResponse) as message:
            given = _matrix(message.probabilities) if message.HasField("probabilities") else None
            return Similarities(
                *_source(message),
                _matrix(message.similarity),
                None if given is None else given.astype(np.float64),
            )

    def ground(self, image: MediaContent, phrases: Sequence[str], scores: bool) -> Outgoing:
        """Call Ground."""
        return _call("Ground", pb.GroundRequest(**_media(image), phrases=phrases, scores=scores))

    def read_ground(self, reply: Reply) -> Boxes:
        """Boxes."""
        with _reading(reply, pb.GroundResponse) as message:
            return Boxes(
                *_source(message),
                tuple(found.phrase for found in message.boxes),
                corners(_corners(found.box) for found in message.boxes),
                corners(_corners(found.box_normalized) for found in message.boxes),
                message.image.width,
                message.image.height,
                given_numbers([_given(found, "score") for found in message.boxes]),
            )

    def classify(self, item: AnyContent, labels: Sequence[str], options: ClassifyOptions) -> Outgoing:
        """Call Classify."""
        request = pb.ClassifyRequest(
            input=_item(item), labels=labels, templates=options.templates, multi_label=options.multi_label
        )
        if options.threshold is not None:
            request.threshold = options.threshold
        return _call("Classify", request)

    def audio_labels(self, clip: MediaContent, top_k: int, windows: Windows | None) -> Outgoing:
        """Call AudioLabels."""
        request = pb.AudioLabelsRequest(**_media(clip), top_k=top_k)
        _set_windows(request, windows)
        return _call("AudioLabels", request)

    def read_classify(self, reply: Reply) -> Labels:
        """The caller's labels."""
        with _reading(reply, pb.ClassifyResponse) as message:
            return Labels(
                *_source(message),
                *_labels(message.labels),
                _plain(message.input),
                cosines=given_numbers([_given(entry, "cosine") for entry in message.labels]),
                none_of_these=_given(message, "none_of_these"),
            )

    def read_audio_labels(self, reply: Reply) -> Labels:
        """The trained head's labels."""
        with _reading(reply, pb.AudioLabelsResponse) as message:
            return Labels(
                *_source(message),
                *_labels(message.labels),
                _plain(message.input),
                tuple(WindowLabels(window.start, window.end, *_labels(window.labels)) for window in message.windows),
            )


def _call(method: str, request: Any) -> Outgoing:
    return Outgoing(SERVICE + method, request.SerializeToString())


@contextmanager
def _reading(reply: Reply, kind: Callable[[], Any]) -> Iterator[Any]:
    message = kind()
    try:
        message.ParseFromString(reply.body)
        yield message
    except (DecodeError, ValueError, KeyError) as error:
        request_id = str(reply.headers.get("x-request-id") or "") or None
        raise ProtocolError(f"the answer is none of this API ({error})", request_id=request_id) from error


def _item(content: AnyContent) -> Any:
    if isinstance(content, FusedContent):
        parts = [pb.Part(**_media(part)) for part in content.parts]
        return pb.Item(fused=pb.Fused(parts=parts, weights=content.weights))
    if isinstance(content, VectorContent):
        values = content.values.astype("<f4").tobytes()
        return pb.Item(embedding=pb.GivenVector(float32=values, fingerprint=content.fingerprint))
    return pb.Item(**_media(content))


def _media(content: PartContent) -> dict[str, Any]:
    if isinstance(content, TokensContent):
        return {"tokens": pb.Tokens(ids=content.ids)}
    if isinstance(content, UrlContent):
        return {f"{content.kind}_url": content.url}
    return {content.kind: content.data.decode() if content.kind == "text" else content.data}


def _set_options(request: Any, options: EmbedOptions) -> None:
    """The fields that EmbedRequest and EmbedOptions share."""
    request.encoding.extend(ENCODINGS[encoding] for encoding in options.encodings)
    if options.dimensions is not None:
        request.dimensions = options.dimensions
    _set_windows(request, options.windows)


def _set_windows(request: Any, windows: Windows | None) -> None:
    if windows is not None:
        request.windows.seconds = windows.seconds
        if windows.hop is not None:
            request.windows.hop = windows.hop


def _source(message: Any) -> tuple[str, str]:
    return message.model, message.fingerprint


def _given(message: Any, name: str) -> float | None:
    """An optional number."""
    return getattr(message, name) if message.HasField(name) else None


def _plain(message: Any) -> dict[str, Any]:
    """A message as REST's JSON has it; protobuf's own JSON would write 64-bit integers as strings."""
    return {field.name: _plain_value(value) for field, value in message.ListFields()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Message):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _plain_value(entry) for key, entry in value.items()}
    return value if isinstance(value, str | bytes | float | int) else [_plain_value(entry) for entry in value]


def _embedded(message: Any, data: Sequence[Any], options: EmbedOptions) -> EmbeddedPart:
    entries = (_entry(entry, options) for entry in data)
    return embedded_part(Answer(*_source(message)), message.dimensions, entries, options.encodings)


def _entry(entry: Any, options: EmbedOptions) -> Entry:
    note = _plain(entry.input) if entry.HasField("input") else None
    if entry.HasField("error"):
        return Entry(entry.index, note, input_problem(entry.error))
    windows = [(window.start, window.end, _forms(window.vector, options)) for window in entry.windows]
    return Entry(entry.index, note, None, _forms(entry.vector, options), windows)


def _forms(vector: Any, options: EmbedOptions) -> Forms:
    return {encoding: getattr(vector, FIELDS[encoding]) for encoding in options.encodings}


def _matrix(matrix: Any) -> NDArray[np.float32]:
    return np.frombuffer(matrix.float32, dtype=DTYPES["float"]).reshape(matrix.rows, matrix.columns)


def _labels(scored: Sequence[Any]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    probabilities = np.asarray([entry.probability for entry in scored], dtype=np.float64)
    return tuple(entry.label for entry in scored), probabilities


def _corners(box: Any) -> list[float]:
    return [getattr(box, corner) for corner in CORNERS]
