"""Answers as messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.json_format import ParseDict
from numpy.typing import NDArray

from service.errors import InputError, ServiceError
from service.preprocessing import Note
from service.rpc.generated import onepeace_pb2 as pb
from service.usecases.embeddable import Embedded
from service.usecases.probabilities import ScoredLabel
from service.usecases.quantization import FORMS, Form, quantize
from service.usecases.results import EmbedResult, GroundResult, LabelsResult, SimilarityResult
from service.wire.answers import source_body, span_body

FIELDS: dict[Form, str] = {"float": "float32", "int8": "int8", "binary": "binary"}
NOTE_FIELDS = frozenset(pb.InputNote.DESCRIPTOR.fields_by_name)


def embed_message(result: EmbedResult) -> Any:
    """The answer of Embed."""
    data = [embedding_message(result, place) for place in range(len(result.items))]
    return pb.EmbedResponse(**source_body(result.source), dimensions=result.dimensions, data=data)


def stream_message(result: EmbedResult, name: str, index: int) -> Any:
    """The answer to one item of a stream: its id, and its place among the items that were sent."""
    embedding = embedding_message(result, 0)
    embedding.index = index
    return pb.EmbedStreamResponse(
        id=name, **source_body(result.source), dimensions=result.dimensions, embedding=embedding
    )


def embedding_message(result: EmbedResult, place: int) -> Any:
    """One item's vector or error."""
    outcome = result.outcomes[place]
    message = pb.Embedding(index=place, modality=result.modality(place))
    if isinstance(outcome, Embedded):
        forms = [FORMS[encoding] for encoding in result.encodings]
        message.vector.CopyFrom(vector_message(outcome.vector, forms))
        message.input.CopyFrom(notes_message(outcome.notes))
        for window in outcome.windows:
            message.windows.add(**span_body(window.span), vector=vector_message(window.vector, forms))
    else:
        message.error.CopyFrom(error_message(outcome))
    return message


def vector_message(vector: NDArray[np.float32], forms: Sequence[Form]) -> Any:
    """Float32 [D] in each of the forms."""
    return pb.Vector(**{FIELDS[form]: quantize(vector, form).tobytes() for form in forms})


def similarity_message(result: SimilarityResult) -> Any:
    """The answer of Similarity."""
    cosines, probabilities = result.similarities.matrices(np.float32)
    return pb.SimilarityResponse(
        **source_body(result.source),
        similarity=_matrix(cosines),
        probabilities=None if probabilities is None else _matrix(probabilities),
    )


def ground_message(result: GroundResult) -> Any:
    """The answer of Ground."""
    boxes = [
        pb.PhraseBox(
            phrase=found.phrase, box=_box(found.box), box_normalized=_box(found.box_normalized), score=found.score
        )
        for found in result.boxes
    ]
    return pb.GroundResponse(**source_body(result.source), image=notes_message([result.image]), boxes=boxes)


def classify_message(result: LabelsResult) -> Any:
    """The answer of Classify."""
    return pb.ClassifyResponse(
        **source_body(result.source),
        labels=_labels(result.labels),
        input=notes_message(result.notes),
        none_of_these=result.none_of_these,
    )


def audio_labels_message(result: LabelsResult) -> Any:
    """The answer of AudioLabels."""
    windows = [pb.LabelledWindow(**span_body(window.span), labels=_labels(window.labels)) for window in result.windows]
    return pb.AudioLabelsResponse(
        **source_body(result.source), labels=_labels(result.labels), input=notes_message(result.notes), windows=windows
    )


def info_message(description: dict[str, Any]) -> Any:
    """The answer of Info, from what `/info` says; what the message has no field for is left out."""
    return ParseDict(description, pb.InfoResponse(), ignore_unknown_fields=True)


def notes_message(notes: Sequence[Note]) -> Any:
    """What was done to an item; for a fused one, to each part."""
    if len(notes) == 1:
        fields: dict[str, Any] = {name: value for name, value in notes[0].items() if name in NOTE_FIELDS}
        return pb.InputNote(**fields)
    return pb.InputNote(parts=[notes_message([note]) for note in notes])


def error_message(error: ServiceError) -> Any:
    """One thing that was wrong."""
    pointer = error.pointer if isinstance(error, InputError) else ""
    return pb.ItemError(pointer=pointer, code=error.code, detail=error.detail, limit=error.limit, actual=error.actual)


def is_large(result: object) -> bool:
    """Whether rendering an answer takes too long for the event loop."""
    return isinstance(result, SimilarityResult) and result.similarities.is_large


def _matrix(numbers: NDArray[np.floating]) -> Any:
    rows, columns = numbers.shape
    return pb.Matrix(rows=rows, columns=columns, float32=np.ascontiguousarray(numbers, "<f4").tobytes())


def _box(corners: Sequence[float]) -> Any:
    return pb.Box(**dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True)))


def _labels(labels: Sequence[ScoredLabel]) -> list[Any]:
    return [pb.Label(label=scored.label, probability=scored.probability, cosine=scored.cosine) for scored in labels]
