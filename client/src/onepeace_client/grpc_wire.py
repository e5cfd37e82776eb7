"""The gRPC protocol: the messages of `proto/onepeace/v1/onepeace.proto`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from onepeace_client.answers import Boxes, Info, Labels, Note, Similarities, WindowLabels, WindowVectors
from onepeace_client.contents import AnyContent, Content, FusedContent, VectorContent
from onepeace_client.errors import InputProblem, OnePeaceError, ProtocolError
from onepeace_client.generated import onepeace_pb2 as pb
from onepeace_client.grpc_status import input_problem, read_failure
from onepeace_client.wire import ClassifyOptions, EmbeddedPart, EmbedOptions, Outgoing, Reply, Windows

SERVICE = "/onepeace.v1.OnePeaceService/"
FIELD_BYTES = 32  # of an item's tags and lengths
ON_ERROR = {"fail": pb.ON_ERROR_FAIL, "report": pb.ON_ERROR_REPORT}
CORNERS = ("x0", "y0", "x1", "y1")


class GrpcWire:
    """Implements `Wire` for gRPC."""

    def body_bytes(self, content: AnyContent, composed: bool) -> int:
        """Upper bound of what an item adds to a message."""
        if isinstance(content, FusedContent):
            return FIELD_BYTES + sum(8 + self.body_bytes(part, composed) for part in content.parts)
        if isinstance(content, VectorContent):
            return FIELD_BYTES + content.values.nbytes + len(content.fingerprint or "")
        return FIELD_BYTES + len(content.data)

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
            limits = whole.get("limits", {})
            known = Info(
                message.model,
                message.fingerprint,
                message.dimensions,
                message.version,
                limits,
                whole.get("models", {}),
                whole,
            )
            if known.max_items < 1 or known.max_body_bytes < 1:
                raise ValueError("limits below 1")
            return known

    def embed(self, contents: Sequence[AnyContent], options: EmbedOptions) -> Outgoing:
        """Call Embed."""
        request = pb.EmbedRequest(inputs=[_item(content) for content in contents], on_error=ON_ERROR[options.on_error])
        if options.dimensions is not None:
            request.dimensions = options.dimensions
        _set_windows(request, options.windows)
        return _call("Embed", request)

    def read_embed(self, reply: Reply) -> EmbeddedPart:
        """Vectors."""
        with _reading(reply, pb.EmbedResponse) as message:
            entries = sorted(message.data, key=lambda entry: entry.index)
            vectors = np.full((len(entries), message.dimensions), np.nan, dtype=np.float32)
            inputs: list[Note | None] = []
            errors: dict[int, InputProblem] = {}
            windows: dict[int, WindowVectors] = {}
            for index, entry in enumerate(entries):
                inputs.append(_plain(entry.input) if entry.HasField("input") else None)
                if entry.HasField("error"):
                    errors[index] = input_problem(entry.error)
                else:
                    vectors[index] = _vector(entry.vector.float32)
                if entry.windows:
                    windows[index] = _window_vectors(entry.windows)
            return EmbeddedPart(message.model, message.fingerprint, vectors, tuple(inputs), errors, windows)

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
                message.model,
                message.fingerprint,
                _matrix(message.similarity),
                None if given is None else given.astype(np.float64),
            )

    def ground(self, image: Content, phrases: Sequence[str]) -> Outgoing:
        """Call Ground."""
        return _call("Ground", pb.GroundRequest(image=image.data, phrases=phrases))

    def read_ground(self, reply: Reply) -> Boxes:
        """Boxes."""
        with _reading(reply, pb.GroundResponse) as message:
            return Boxes(
                message.model,
                message.fingerprint,
                tuple(found.phrase for found in message.boxes),
                _corners([found.box for found in message.boxes]),
                _corners([found.box_normalized for found in message.boxes]),
                message.image.width,
                message.image.height,
            )

    def classify(self, item: AnyContent, labels: Sequence[str], options: ClassifyOptions) -> Outgoing:
        """Call Classify."""
        templates = [] if options.template is None else [options.template]
        return _call("Classify", pb.ClassifyRequest(input=_item(item), labels=labels, templates=templates))

    def audio_labels(self, clip: Content, top_k: int, windows: Windows | None) -> Outgoing:
        """Call AudioLabels."""
        request = pb.AudioLabelsRequest(audio=clip.data, top_k=top_k)
        _set_windows(request, windows)
        return _call("AudioLabels", request)

    def read_classify(self, reply: Reply) -> Labels:
        """The caller's labels."""
        with _reading(reply, pb.ClassifyResponse) as message:
            return Labels(message.model, message.fingerprint, *_labels(message.labels), _plain(message.input))

    def read_audio_labels(self, reply: Reply) -> Labels:
        """The trained head's labels."""
        with _reading(reply, pb.AudioLabelsResponse) as message:
            return Labels(
                message.model,
                message.fingerprint,
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


def _media(content: Content) -> dict[str, Any]:
    return {content.kind: content.data.decode() if content.kind == "text" else content.data}


def _set_windows(request: Any, windows: Windows | None) -> None:
    if windows is not None:
        request.windows.seconds = windows.seconds
        if windows.hop is not None:
            request.windows.hop = windows.hop


def _plain(message: Any) -> dict[str, Any]:
    """A message as REST's JSON has it; protobuf's own JSON would write 64-bit integers as strings."""
    return {field.name: _plain_value(value) for field, value in message.ListFields()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Message):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _plain_value(entry) for key, entry in value.items()}
    return value if isinstance(value, str | bytes | float | int) else [_plain_value(entry) for entry in value]


def _vector(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, dtype="<f4")


def _matrix(matrix: Any) -> NDArray[np.float32]:
    return _vector(matrix.float32).reshape(matrix.rows, matrix.columns)


def _window_vectors(windows: Sequence[Any]) -> WindowVectors:
    spans_s = np.asarray([(window.start, window.end) for window in windows], dtype=np.float64)
    return WindowVectors(spans_s, np.stack([_vector(window.vector.float32) for window in windows]))


def _labels(scored: Sequence[Any]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    probabilities = np.asarray([entry.probability for entry in scored], dtype=np.float64)
    return tuple(entry.label for entry in scored), probabilities


def _corners(boxes: Sequence[Any]) -> NDArray[np.float64]:
    return np.asarray([[getattr(box, corner) for corner in CORNERS] for box in boxes], dtype=np.float64).reshape(-1, 4)
