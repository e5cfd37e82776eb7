"""Answers as JSON, past pydantic because this is hot; `answer_schemas.py` describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.responses import Response

from service.preprocessing import Note
from service.usecases.embeddable import Embedded
from service.usecases.probabilities import ScoredLabel
from service.usecases.results import EmbedResult, GroundResult, LabelsResult, PairResult
from service.usecases.source import Source
from service.usecases.windows import Span
from service.wire.encodings import encoded_fields
from service.wire.problem import input_error_body


def json_response(value: object) -> Response:
    """Serialise with orjson; numpy float32 arrays are written directly, with the digits that float32 has."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def embed_body(result: EmbedResult) -> dict[str, Any]:
    """The answer of `/embed`, in the order of the inputs."""
    data: list[dict[str, Any]] = []
    for index, outcome in enumerate(result.outcomes):
        entry: dict[str, Any] = {"index": index, "modality": result.modality(index)}
        if isinstance(outcome, Embedded):
            entry |= encoded_fields(outcome.vector, result.encoding)
            entry["input"] = note_body(outcome.notes)
            if outcome.windows:
                entry["windows"] = [
                    {**span_body(window.span), **encoded_fields(window.vector, result.encoding)}
                    for window in outcome.windows
                ]
        else:
            entry["error"] = input_error_body(outcome)
        data.append(entry)
    return {**source_body(result.source), "dimensions": result.dimensions, "data": data}


def ground_answer(result: GroundResult) -> Response:
    """The answer of `/ground`."""
    corners = ("x0", "y0", "x1", "y1")
    rendered = [
        {
            "phrase": found.phrase,
            "box": dict(zip(corners, found.box, strict=True)),
            "box_normalized": dict(zip(corners, found.box_normalized, strict=True)),
        }
        | ({} if found.score is None else {"score": found.score})
        for found in result.boxes
    ]
    return json_response({**source_body(result.source), "image": result.image, "boxes": rendered})


def labels_answer(result: LabelsResult) -> Response:
    """The answer of every endpoint that gives labels with probabilities."""
    body = {
        **source_body(result.source),
        "labels": [_label_body(scored) for scored in result.labels],
        "input": note_body(result.notes),
    }
    if result.none_of_these is not None:
        body["none_of_these"] = result.none_of_these
    if result.windows:
        body["windows"] = [
            {**span_body(window.span), "labels": [_label_body(scored) for scored in window.labels]}
            for window in result.windows
        ]
    return json_response(body)


def pair_answer(result: PairResult) -> Response:
    """The answer of `/image-pair`."""
    return json_response({**source_body(result.source), "probability": result.probability})


def _label_body(scored: ScoredLabel) -> dict[str, Any]:
    body: dict[str, Any] = {"label": scored.label, "probability": scored.probability}
    return body if scored.cosine is None else body | {"cosine": scored.cosine}


def span_body(span: Span) -> dict[str, float]:
    """Where a window lies in its clip, seconds."""
    return {"start": round(span.start_s, 3), "end": round(span.end_s, 3)}


def source_body(source: Source) -> dict[str, Any]:
    """What every answer of a model says."""
    return {"model": source.model, "fingerprint": source.fingerprint}


def note_body(notes: Sequence[Note]) -> dict[str, Any]:
    """What was done to an item; for a fused one, to each part."""
    return dict(notes[0]) if len(notes) == 1 else {"parts": list(notes)}
