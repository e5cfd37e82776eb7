"""Counts what a message holds before it is parsed: two bytes on the wire may become a hundred in memory."""

from __future__ import annotations

from typing import Any

from service.errors import BodyTooLarge

MAX_FIELDS = 20_000  # of one message, as many as multipart may have
COUNT_FROM_BYTES = 64 * 1024  # a smaller message can't become large
WIDTHS = {0: 0, 1: 8, 5: 4}  # bytes of a value by its wire type; a varint's end has to be looked for
DELIMITED = 2


def bound_fields(data: bytes, descriptor: Any) -> None:
    """Make sure that a message has a sane number of fields; in a broken message those before the break count.

    Args:
        data: the message as it came.
        descriptor: its protobuf descriptor. Request messages must not contain themselves.

    Raises:
        BodyTooLarge: it has more.
    """
    if len(data) >= COUNT_FROM_BYTES:
        _count(memoryview(data), descriptor, 0)


def _count(data: memoryview, descriptor: Any, counted: int) -> int:
    """`counted` and the fields of `data`; packed numbers count as eight to a field."""
    place, end = 0, len(data)
    while place < end:
        counted += 1
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == DELIMITED:
            size, place = _varint(data, place)
            field = descriptor.fields_by_number.get(tag >> 3)
            if field is not None and field.message_type is not None:
                counted = _count(data[place : place + size], field.message_type, counted)
            elif field is not None and field.cpp_type != field.CPPTYPE_STRING:
                counted += size // 8
            place += size
        elif kind == 0:
            _, place = _varint(data, place)
        else:
            place += WIDTHS.get(kind, 0)
        if counted > MAX_FIELDS:
            raise BodyTooLarge("the message holds too many fields", limit=MAX_FIELDS)
    return counted


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, and the place after it; the end of the data ends it, too."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, place
