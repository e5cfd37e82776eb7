"""The REST protocol: `rest_requests` renders, this reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onepeace_client import rest_requests
from onepeace_client.answers import Answer, Boxes, Info, Labels, Similarities, WindowLabels
from onepeace_client.contents import AnyContent, MediaContent
from onepeace_client.entries import CORNERS, EmbeddedPart, Entry, Forms, corners, embedded_part, given_numbers
from onepeace_client.errors import InputProblem, OnePeaceError, ProtocolError, error_class
from onepeace_client.retries import parse_retry_after
from onepeace_client.wire import ClassifyOptions, EmbedOptions, Outgoing, Reply, Windows

SHOWN_CHARACTERS = 200  # of a foreign answer


class RestWire:
    """Implements `Wire` for HTTP."""

    stream_items = 32  # enough for good batches; more would keep the first answer waiting

    def body_bytes(self, content: AnyContent, composed: bool) -> int:
        """Upper bound of what an item adds to a body."""
        return rest_requests.body_bytes(content, composed)

    def failure(self, reply: Reply) -> OnePeaceError | None:
        """The problem (RFC 9457) that a reply carries; a proxy's own page counts by its status."""
        if reply.status < 400:
            return None
        try:
            body = json.loads(reply.body)
        except ValueError:
            body = None
        problem: Mapping[str, Any] = body if isinstance(body, dict) else {}
        code, request_id = problem.get("code"), problem.get("request_id") or reply.headers.get("x-request-id")
        error = error_class(code, reply.status)(
            str(
                problem.get("detail") or f"HTTP {reply.status} {reply.body[:SHOWN_CHARACTERS].decode(errors='replace')}"
            ),
            code=code,
            status=reply.status,
            request_id=str(request_id) if request_id else None,
            errors=[_problem(entry) for entry in problem.get("errors", []) if isinstance(entry, dict)],
        )
        error.retry_after_s = parse_retry_after(reply.headers.get("retry-after"))
        return error

    def info(self) -> Outgoing:
        """`GET /info`."""
        return Outgoing("/info", method="GET")

    def read_info(self, reply: Reply) -> Info:
        """What is served."""
        with _reading(reply) as body:
            limits, models = dict(body["limits"]), dict(body["models"])
            return Info(*_source(body), int(body["dimensions"]), str(body["version"]), limits, models, body)

    def embed(self, contents: Sequence[AnyContent], options: EmbedOptions) -> Outgoing:
        """`POST /embed`."""
        return rest_requests.embed(contents, options)

    def read_embed(self, reply: Reply, options: EmbedOptions) -> EmbeddedPart:
        """Vectors, from base64."""
        with _reading(reply) as body:
            entries = (_entry(entry, options) for entry in body["data"])
            return embedded_part(Answer(*_source(body)), int(body["dimensions"]), entries, options.encodings)

    def similarity(
        self, queries: Sequence[AnyContent], candidates: Sequence[AnyContent], probabilities: bool
    ) -> Outgoing:
        """`POST /similarity`."""
        return rest_requests.similarity(queries, candidates, probabilities)

    def read_similarity(self, reply: Reply) -> Similarities:
        """Cosines."""
        with _reading(reply) as body:
            given = body.get("probabilities")
            return Similarities(
                *_source(body),
                np.asarray(body["similarity"], dtype=np.float32),
                None if given is None else np.asarray(given, dtype=np.float64),
            )

    def ground(self, image: MediaContent, phrases: Sequence[str], scores: bool) -> Outgoing:
        """`POST /ground`."""
        return rest_requests.ground(image, phrases, scores)

    def read_ground(self, reply: Reply) -> Boxes:
        """Boxes."""
        with _reading(reply) as body:
            return Boxes(
                *_source(body),
                tuple(str(found["phrase"]) for found in body["boxes"]),
                corners([found["box"][corner] for corner in CORNERS] for found in body["boxes"]),
                corners([found["box_normalized"][corner] for corner in CORNERS] for found in body["boxes"]),
                int(body["image"]["width"]),
                int(body["image"]["height"]),
                given_numbers([found.get("score") for found in body["boxes"]]),
            )

    def classify(self, item: AnyContent, labels: Sequence[str], options: ClassifyOptions) -> Outgoing:
        """`POST /classify`."""
        return rest_requests.classify(item, labels, options)

    def audio_labels(self, clip: MediaContent, top_k: int, windows: Windows | None) -> Outgoing:
        """`POST /audio/labels`."""
        return rest_requests.audio_labels(clip, top_k, windows)

    def read_classify(self, reply: Reply) -> Labels:
        """The caller's labels."""
        return self.read_audio_labels(reply)

    def read_audio_labels(self, reply: Reply) -> Labels:
        """The trained head's labels."""
        with _reading(reply) as body:
            return Labels(
                *_source(body),
                *_labels(body["labels"]),
                dict(body["input"]),
                tuple(
                    WindowLabels(float(window["start"]), float(window["end"]), *_labels(window["labels"]))
                    for window in body.get("windows") or ()
                ),
                given_numbers([entry.get("cosine") for entry in body["labels"]]),
                body.get("none_of_these"),
            )


@contextmanager
def _reading(reply: Reply) -> Iterator[dict[str, Any]]:
    try:
        body = json.loads(reply.body)
        if not isinstance(body, dict):
            raise TypeError("no JSON object")
        yield body
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        request_id = str(reply.headers.get("x-request-id") or "") or None
        detail = f"the answer is none of this API ({type(error).__name__}: {error}): {_shown(reply)}"
        raise ProtocolError(detail, status=reply.status, request_id=request_id) from error


def _shown(reply: Reply) -> str:
    return reply.body[:SHOWN_CHARACTERS].decode(errors="replace")


def _problem(entry: Mapping[str, Any]) -> InputProblem:
    limit, actual = entry.get("limit"), entry.get("actual")
    return InputProblem(
        str(entry.get("pointer", "")), str(entry.get("code", "")), str(entry.get("detail", "")), limit, actual
    )


def _source(body: Mapping[str, Any]) -> tuple[str, str]:
    return str(body["model"]), str(body["fingerprint"])


def _entry(entry: Mapping[str, Any], options: EmbedOptions) -> Entry:
    if entry.get("error") is not None:
        return Entry(int(entry["index"]), entry.get("input"), _problem(entry["error"]))
    windows = [
        (float(window["start"]), float(window["end"]), _forms(window, options)) for window in entry.get("windows") or ()
    ]
    return Entry(int(entry["index"]), entry.get("input"), None, _forms(entry, options), windows)


def _forms(entry: Mapping[str, Any], options: EmbedOptions) -> Forms:
    """One encoding stands in `embedding`, several in `embeddings` by name."""
    if len(options.encodings) == 1:
        return {options.encodings[0]: _bytes(entry["embedding"])}
    return {encoding: _bytes(entry["embeddings"][rest_requests.NAMES[encoding]]) for encoding in options.encodings}


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return base64.b64decode(value, validate=True)
    return np.asarray(value, dtype="<f4").tobytes()


def _labels(scored: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    probabilities = np.asarray([float(entry["probability"]) for entry in scored], dtype=np.float64)
    return tuple(str(entry["label"]) for entry in scored), probabilities
