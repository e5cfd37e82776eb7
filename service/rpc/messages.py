"""Request messages in the shape of the JSON, with bytes in the place of base64: one set of schemas checks both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from service.errors import MalformedBody
from service.rpc.census import bound_fields
from service.rpc.generated import onepeace_pb2 as pb

MEDIA = {"image": "image", "image_url": "image", "audio": "audio", "audio_url": "audio"}
"""The JSON's field for each of the messages' fields: a URL stands there as a string, a file as bytes."""
ENCODINGS = {pb.ENCODING_UNSPECIFIED: "float", pb.ENCODING_FLOAT: "float", pb.ENCODING_INT8: "int8"} | {
    pb.ENCODING_BINARY: "binary"
}
ON_ERROR = {pb.ON_ERROR_UNSPECIFIED: "fail", pb.ON_ERROR_FAIL: "fail", pb.ON_ERROR_REPORT: "report"}


def parse(data: bytes, kind: Any) -> Any:
    """A message of the class `kind`.

    Raises:
        BodyTooLarge: it has too many fields.
        MalformedBody: the bytes are not such a message.
    """
    bound_fields(data, kind.DESCRIPTOR)
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise MalformedBody(f"the message is not a valid {kind.DESCRIPTOR.full_name}") from error


def embed_value(message: Any) -> dict[str, Any]:
    """As the JSON of `/embed`."""
    value: dict[str, Any] = {"inputs": [item_value(item) for item in message.inputs]}
    if message.HasField("on_error"):
        value["on_error"] = ON_ERROR.get(message.on_error, str(message.on_error))
    return value | options_value(message)


def options_value(message: Any) -> dict[str, Any]:
    """The options of `/embed`, from an EmbedRequest or EmbedOptions."""
    value: dict[str, Any] = {}
    if message.encoding:
        value["encoding"] = [ENCODINGS.get(number, str(number)) for number in message.encoding]
    if message.HasField("dimensions"):
        value["dimensions"] = message.dimensions
    return value | _windows(message)


def similarity_value(message: Any) -> dict[str, Any]:
    """As the JSON of `/similarity`."""
    value = {name: [item_value(item) for item in getattr(message, name)] for name in ("queries", "candidates")}
    return value | _present(message, "probabilities")


def ground_value(message: Any) -> dict[str, Any]:
    """As the JSON of `/ground`."""
    return _media(message, "source") | {"phrases": list(message.phrases)} | _present(message, "scores")


def classify_value(message: Any) -> dict[str, Any]:
    """As the JSON of `/classify`."""
    value: dict[str, Any] = {"labels": list(message.labels)}
    if message.HasField("input"):
        value["input"] = item_value(message.input)
    if message.templates:
        value["templates"] = list(message.templates)
    return value | _present(message, "multi_label", "threshold")


def audio_labels_value(message: Any) -> dict[str, Any]:
    """As the JSON of `/audio/labels`."""
    return _media(message, "source") | _present(message, "top_k") | _windows(message)


def item_value(item: Any) -> dict[str, Any]:
    """As the JSON of an item; {} when none of its kinds is set."""
    kind = item.WhichOneof("kind")
    if kind == "text":
        return {"text": item.text}
    if kind in MEDIA:
        return {MEDIA[kind]: getattr(item, kind)}
    return {} if kind is None else COMPOSED[kind](getattr(item, kind))


def _vector(vector: Any) -> dict[str, Any]:
    return {"embedding": vector.float32} | _present(vector, "fingerprint")


def _fused(fused: Any) -> dict[str, Any]:
    value: dict[str, Any] = {"parts": [item_value(part) for part in fused.parts]}
    return value | ({"weights": list(fused.weights)} if fused.weights else {})


def _tokens(tokens: Any) -> dict[str, Any]:
    return {"tokens": list(tokens.ids)}


COMPOSED: dict[str, Callable[[Any], dict[str, Any]]] = {"embedding": _vector, "fused": _fused, "tokens": _tokens}


def _media(message: Any, oneof: str) -> dict[str, Any]:
    kind = message.WhichOneof(oneof)
    return {} if kind is None else {MEDIA[kind]: getattr(message, kind)}


def _windows(message: Any) -> dict[str, Any]:
    return {"windows": _present(message.windows, "seconds", "hop")} if message.HasField("windows") else {}


def _present(message: Any, *names: str) -> dict[str, Any]:
    """The fields that were set: an option that was left out must keep its default."""
    return {name: getattr(message, name) for name in names if message.HasField(name)}
