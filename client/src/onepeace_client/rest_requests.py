"""REST requests: multipart for plain items, for it needs no base64; JSON where others take part."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from onepeace_client.contents import (
    AnyContent,
    Content,
    FusedContent,
    MediaContent,
    TokensContent,
    UrlContent,
    VectorContent,
)
from onepeace_client.encodings import Encoding
from onepeace_client.wire import ClassifyOptions, EmbedOptions, Outgoing, Windows

Field = tuple[str, bytes]
PART_BYTES = 128  # of a multipart field's boundary and header
JSON_BYTES = 64  # of an item's name and brackets; in JSON a character of text takes up to 6 bytes, a weight up to 26
WEIGHT_BYTES = 26
ID_BYTES = 12  # of one id and what separates it from the next
NAMES: dict[Encoding, str] = {"float": "base64", "int8": "int8", "binary": "binary"}
"""The service's encodings: `float` would be written in decimal."""


def body_bytes(content: AnyContent, composed: bool) -> int:
    """Upper bound of an item's bytes in a request's body."""
    if isinstance(content, FusedContent):
        weights = WEIGHT_BYTES * len(content.weights)
        return JSON_BYTES + weights + sum(body_bytes(part, composed=True) for part in content.parts)
    if isinstance(content, VectorContent):
        return JSON_BYTES + _base64_bytes(content.values.nbytes) + len(json.dumps(content.fingerprint or ""))
    if isinstance(content, TokensContent):
        return JSON_BYTES + ID_BYTES * len(content.ids)
    if isinstance(content, UrlContent):
        return JSON_BYTES + len(json.dumps(content.url))
    if not composed:
        return PART_BYTES + len(content.data)
    if content.kind == "text":
        return JSON_BYTES + len(json.dumps(content.data.decode()))
    return JSON_BYTES + _base64_bytes(len(content.data))


def embed(contents: Sequence[AnyContent], options: EmbedOptions) -> Outgoing:
    """`POST /embed`."""
    names = [NAMES[encoding] for encoding in options.encodings]
    chosen: dict[str, Any] = {"on_error": options.on_error}
    if options.dimensions is not None:
        chosen["dimensions"] = options.dimensions
    plain = _plain(contents)
    if plain is None:
        body = {"inputs": [_item(content) for content in contents], **chosen, **_window_object(options.windows)}
        return _json("/embed", {**body, "encoding": names[0] if len(names) == 1 else names})
    fields: list[Field] = [(content.kind, content.data) for content in plain]
    fields += [("encoding", name.encode()) for name in names]
    return _form("/embed", [*fields, *_texts(chosen), *_window_fields(options.windows)])


def similarity(queries: Sequence[AnyContent], candidates: Sequence[AnyContent], probabilities: bool) -> Outgoing:
    """`POST /similarity`."""
    asked, offered = _plain(queries), _plain(candidates)
    if asked is None or offered is None:
        lists = {"queries": [_item(item) for item in queries], "candidates": [_item(item) for item in candidates]}
        return _json("/similarity", {**lists, "probabilities": probabilities})
    fields = [(f"query_{content.kind}", content.data) for content in asked]
    fields += [(f"candidate_{content.kind}", content.data) for content in offered]
    return _form("/similarity", [*fields, ("probabilities", _truth(probabilities))])


def ground(image: MediaContent, phrases: Sequence[str], scores: bool) -> Outgoing:
    """`POST /ground`."""
    if isinstance(image, UrlContent):
        return _json("/ground", {**_item(image), "phrases": list(phrases), "scores": scores})
    fields = [("image", image.data), *(("phrase", phrase.encode()) for phrase in phrases)]
    return _form("/ground", [*fields, ("scores", _truth(scores))])


def classify(item: AnyContent, labels: Sequence[str], options: ClassifyOptions) -> Outgoing:
    """`POST /classify`."""
    threshold = {} if options.threshold is None else {"threshold": options.threshold}
    plain = _plain([item])
    if plain is None:
        templates = {"templates": list(options.templates)} if options.templates else {}
        body = {"input": _item(item), "labels": list(labels), "multi_label": options.multi_label}
        return _json("/classify", {**body, **templates, **threshold})
    fields = [(plain[0].kind, plain[0].data), *(("label", label.encode()) for label in labels)]
    fields += [("templates", template.encode()) for template in options.templates]
    return _form("/classify", [*fields, ("multi_label", _truth(options.multi_label)), *_texts(threshold)])


def audio_labels(clip: MediaContent, top_k: int, windows: Windows | None) -> Outgoing:
    """`POST /audio/labels`."""
    if isinstance(clip, UrlContent):
        return _json("/audio/labels", {**_item(clip), "top_k": top_k, **_window_object(windows)})
    return _form("/audio/labels", [("audio", clip.data), *_texts({"top_k": top_k}), *_window_fields(windows)])


def _plain(contents: Sequence[AnyContent]) -> list[Content] | None:
    plain = [content for content in contents if isinstance(content, Content)]
    return plain if len(plain) == len(contents) else None


def _texts(chosen: dict[str, Any]) -> list[Field]:
    return [(name, str(value).encode()) for name, value in chosen.items()]


def _truth(value: bool) -> bytes:
    return b"true" if value else b"false"


def _window_fields(windows: Windows | None) -> list[Field]:
    chosen = _window_object(windows).get("windows", {})
    return _texts({f"window_{name}": value for name, value in chosen.items()})


def _window_object(windows: Windows | None) -> dict[str, dict[str, float]]:
    if windows is None:
        return {}
    hop = {} if windows.hop is None else {"hop": windows.hop}
    return {"windows": {"seconds": windows.seconds, **hop}}


def _item(content: AnyContent) -> dict[str, Any]:
    if isinstance(content, FusedContent):
        return {"parts": [_item(part) for part in content.parts], "weights": list(content.weights)}
    if isinstance(content, VectorContent):
        named = {} if content.fingerprint is None else {"fingerprint": content.fingerprint}
        return {"embedding": _base64(content.values.astype("<f4").tobytes()), **named}
    if isinstance(content, TokensContent):
        return {"tokens": list(content.ids)}
    if isinstance(content, UrlContent):
        return {content.kind: content.url}
    if content.kind == "text":
        return {"text": content.data.decode()}
    return {content.kind: _base64(content.data)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _base64_bytes(count: int) -> int:
    return 4 * (count // 3 + 1)


def _json(path: str, value: object) -> Outgoing:
    return Outgoing(path, json.dumps(value).encode(), headers={"content-type": "application/json"})


def _form(path: str, fields: Iterable[Field]) -> Outgoing:
    """A multipart body (RFC 7578). 128 random bits make a boundary that no content holds."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        pieces += (head.encode(), value, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return Outgoing(path, b"".join(pieces), headers={"content-type": f"multipart/form-data; boundary={boundary}"})
