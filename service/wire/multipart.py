"""Multipart bodies (RFC 7578), already whole in memory, split by python-multipart's parser."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedBody

MAX_HEADER_BYTES = 8192
MAX_FIELDS = 20_000


@dataclass(frozen=True, slots=True)
class FormField:
    """One part: its field name and its content."""

    name: str
    content: bytes


def parse_multipart(body: bytes, content_type: str) -> list[FormField]:
    """Split a body into its fields, in the order in which they stand.

    Raises:
        MalformedBody: no boundary, broken framing, a part without a name, or a body that ends too early.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedBody("the multipart content type names no boundary")
    collector = _Collector(body)
    try:
        parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (MultipartParseError, ValueError) as error:
        raise MalformedBody("the multipart body is broken or cut off") from error
    if not collector.ended:
        raise MalformedBody("the multipart body ends before its closing boundary")
    return collector.fields


@dataclass(slots=True)
class _Collector:
    body: bytes
    fields: list[FormField] = field(default_factory=list)
    ended: bool = False
    _name: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _chunks: list[bytes] = field(default_factory=list)

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header(self._name, data[start:end]),
            "on_header_value": lambda data, start, end: self._header(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._chunks.append(data[start:end]),
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.fields) >= MAX_FIELDS:
            raise MalformedBody("too many multipart fields", limit=MAX_FIELDS)
        self._disposition, self._chunks = b"", []

    def _header(self, target: bytearray, data: bytes) -> None:
        if len(target) + len(data) > MAX_HEADER_BYTES:
            raise MalformedBody("a multipart header is too long", limit=MAX_HEADER_BYTES)
        target += data

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _end_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if name is None:
            raise MalformedBody("a multipart part has no name")
        content = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self.fields.append(FormField(name.decode("utf-8", "replace"), content))

    def _end(self) -> None:
        self.ended = True
