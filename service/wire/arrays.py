"""Vectors as raw arrays: NumPy's `.npy`, and Arrow's stream format."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.responses import Response

from service.errors import InputError, InvalidField, InvalidRequest
from service.usecases.embeddable import Embedded
from service.usecases.quantization import FORMS, Encoding, quantize
from service.usecases.results import EmbedResult
from service.usecases.source import Source
from service.wire.answers import note_body, span_body
from service.wire.problem import input_error_body
from service.wire.requests.embed import EmbedOptions

NPY, ARROW = "application/x-npy", "application/vnd.apache.arrow.stream"
COLUMNS: dict[Encoding, str] = {
    "float": "embedding",
    "base64": "embedding",
    "int8": "embedding_int8",
    "binary": "embedding_binary",
}


def check_npy(wanted: EmbedOptions) -> None:
    """Make sure that an answer fits one array.

    Raises:
        InvalidRequest: several encodings, windows, or errors in the place of rows do not.
    """
    wrong: list[InputError] = []
    if not isinstance(wanted.encoding, str) and len(wanted.encoding) > 1:
        wrong.append(InvalidField(f"{NPY} holds one encoding", limit=1, pointer="/encoding"))
    if wanted.on_error == "report":
        wrong.append(InvalidField(f"{NPY} has no place for errors; JSON and Arrow have", pointer="/on_error"))
    if wanted.windows is not None:
        wrong.append(InvalidField(f"{NPY} has no place for windows; JSON and Arrow have", pointer="/windows"))
    if wrong:
        raise InvalidRequest(wrong)


def npy_response(result: EmbedResult) -> Response:
    """One array [N, D]: float32, int8, or the packed bits uint8 [N, ⌈D / 8⌉]."""
    (encoding,) = result.encodings
    vectors = np.stack([outcome.vector for outcome in result.outcomes if isinstance(outcome, Embedded)])
    file = io.BytesIO()
    np.save(file, quantize(vectors, FORMS[encoding]), allow_pickle=False)
    return Response(file.getvalue(), headers=source_headers(result.source), media_type=NPY)


def source_headers(source: Source) -> dict[str, str]:
    """What answered, where the body has no room for it."""
    return {"x-onepeace-model": quote(source.model), "x-onepeace-fingerprint": source.fingerprint}


def arrow_response(result: EmbedResult) -> Response:
    """One record batch: `index`, `modality`, a column for each encoding, `input` and `error` as JSON.

    Also `windows`, if they were asked for: empty for what has none, null for refused items.

    The schema's metadata has `model`, `fingerprint` and `dimensions`. Vectors of refused items are null.
    """
    import pyarrow as pa

    encodings, outcomes = result.encodings, result.outcomes
    good = [isinstance(outcome, Embedded) for outcome in outcomes]
    columns = {
        "index": pa.array(np.arange(len(outcomes), dtype=np.int32)),
        "modality": pa.array(list(map(result.modality, range(len(outcomes))))),
    }
    for encoding in encodings:
        columns[COLUMNS[encoding]] = _vector_column(result, encoding, np.array(good))
    notes = [_json(note_body(outcome.notes)) if isinstance(outcome, Embedded) else None for outcome in outcomes]
    errors = [None if isinstance(outcome, Embedded) else _json(input_error_body(outcome)) for outcome in outcomes]
    if result.windowed:
        rows = [_window_rows(outcome, encodings) for outcome in outcomes]
        columns["windows"] = pa.array(rows, _window_type(encodings))
    columns |= {"input": pa.array(notes, pa.string()), "error": pa.array(errors, pa.string())}
    metadata = {
        "model": result.source.model,
        "fingerprint": result.source.fingerprint,
        "dimensions": str(result.dimensions),
    }
    batch = pa.record_batch(columns, metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return Response(sink.getvalue().to_pybytes(), headers=source_headers(result.source), media_type=ARROW)


def _vector_column(result: EmbedResult, encoding: Encoding, good: NDArray[np.bool_]) -> Any:
    """A fixed-size list of float32 or int8; bits as fixed-size binary of ⌈D / 8⌉ bytes."""
    import pyarrow as pa

    blank = np.ones(result.dimensions, dtype=np.float32)
    vectors = np.stack([outcome.vector if isinstance(outcome, Embedded) else blank for outcome in result.outcomes])
    values = quantize(vectors, FORMS[encoding])
    missing = None if good.all() else pa.array(~good)
    if encoding == "binary":
        rows = [row.tobytes() if is_good else None for row, is_good in zip(values, good, strict=True)]
        return pa.array(rows, pa.binary(values.shape[1]))
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1], mask=missing)


def _window_type(encodings: Sequence[Encoding]) -> Any:
    """A list of structs: places in seconds, and a vector in each encoding."""
    import pyarrow as pa

    kinds = {"float": pa.list_(pa.float32()), "int8": pa.list_(pa.int8()), "binary": pa.binary()}
    vectors = {COLUMNS[encoding]: kinds[FORMS[encoding]] for encoding in encodings}
    return pa.list_(pa.struct({"start": pa.float64(), "end": pa.float64(), **vectors}))


def _window_rows(outcome: object, encodings: Sequence[Encoding]) -> list[dict[str, Any]] | None:
    """Each window's `start` and `end` in seconds, and its vector in the columns' encodings."""
    if not isinstance(outcome, Embedded):
        return None
    return [
        span_body(window.span) | {COLUMNS[encoding]: _window_value(window.vector, encoding) for encoding in encodings}
        for window in outcome.windows
    ]


def _window_value(vector: NDArray[np.float32], encoding: Encoding) -> object:
    values = quantize(vector, FORMS[encoding])
    return values.tobytes() if encoding == "binary" else values


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
