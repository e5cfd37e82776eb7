"""Where the parts of a file begin, told format by format; and checksums made right again after damage."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import cache

BLOCK = 64  # bytes of a part where the format tells none
MOST_PARTS = 4096
PNG_HEAD = 8
RIFF_HEAD = 12
OGG_PAGE_HEAD = 27
OGG_POLYNOMIAL = 0x04C11DB7
JPEG_MARKER = re.compile(rb"\xff[\xc0-\xfe]")
FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]")
MP3_FRAME = re.compile(rb"\xff[\xf2-\xf7\xfa-\xff]")


def find_parts(data: bytes, form: str) -> list[int]:
    """Offsets at which parts begin, ascending, 0 and the file's end among them; at least one part."""
    walk = {
        "PNG": _png_chunks,
        "WEBP": _riff_chunks,
        "WAV": _riff_chunks,
        "WAVEX": _riff_chunks,
        "JPEG": lambda data: (found.start() for found in JPEG_MARKER.finditer(data)),
        "MP3": lambda data: (found.start() for found in MP3_FRAME.finditer(data)),
        "OGG": lambda data: (found.start() for found in re.finditer(b"OggS", data)),
        "TIFF": _tiff_entries,
        "FLAC": _flac_blocks,
    }.get(form, _blocks)
    offsets = {0, len(data)}
    for place, offset in enumerate(walk(data)):
        if offset >= len(data) or place >= MOST_PARTS:
            break
        offsets.add(offset)
    return sorted(offsets)


def _blocks(data: bytes) -> Iterator[int]:
    yield from range(0, len(data), BLOCK)


def _png_chunks(data: bytes) -> Iterator[int]:
    offset = PNG_HEAD
    while offset + 8 <= len(data):
        yield offset
        offset += 12 + int.from_bytes(data[offset : offset + 4], "big")


def _riff_chunks(data: bytes) -> Iterator[int]:
    offset = RIFF_HEAD
    while offset + 8 <= len(data):
        yield offset
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        offset += 8 + size + size % 2


def _flac_blocks(data: bytes) -> Iterator[int]:
    offset = 4
    while offset + 4 <= len(data):
        yield offset
        is_last = data[offset] & 0x80
        offset += 4 + int.from_bytes(data[offset + 1 : offset + 4], "big")
        if is_last:
            break
    yield offset
    yield from (found.start() for found in FLAC_FRAME.finditer(data, offset + 1))


def _tiff_entries(data: bytes) -> Iterator[int]:
    """The entries of the first directory (its place and its width as in a TIFF or a BigTIFF)."""
    order = "little" if data[:2] == b"II" else "big"
    wide = int.from_bytes(data[2:4], order) == 43
    start = int.from_bytes(data[8:16] if wide else data[4:8], order)
    head, entry = (8, 20) if wide else (2, 12)
    count = min(int.from_bytes(data[start : start + head], order), 64)
    before = [offset for offset in range(16, len(data), BLOCK) if offset < start]
    yield from before
    yield from range(start, start + head + count * entry, entry)


def repair(data: bytes, form: str) -> bytes:
    """The file with checksums that fit, where decoders look at them, so that the damage is read."""
    if form == "PNG":
        return _with_png_checksums(data)
    return _with_ogg_checksums(data) if form == "OGG" else data


def _with_png_checksums(data: bytes) -> bytes:
    fixed = bytearray(data)
    for offset in _png_chunks(data):
        end = offset + 8 + int.from_bytes(data[offset : offset + 4], "big")
        if end + 4 <= len(data):
            struct.pack_into(">I", fixed, end, zlib.crc32(data[offset + 4 : end]))
    return bytes(fixed)


def _with_ogg_checksums(data: bytes) -> bytes:
    """As RFC 3533, 6: over the page with zeros in the place of the checksum."""
    fixed = bytearray(data)
    for found in re.finditer(b"OggS", data):
        start = found.start()
        count = data[start + OGG_PAGE_HEAD - 1] if start + OGG_PAGE_HEAD <= len(data) else 0
        body = start + OGG_PAGE_HEAD + count
        end = body + sum(data[start + OGG_PAGE_HEAD : body])
        if end <= len(data) and end - start >= OGG_PAGE_HEAD:
            page = data[start : start + 22] + bytes(4) + data[start + 26 : end]
            struct.pack_into("<I", fixed, start + 22, _ogg_checksum(page))
    return bytes(fixed)


@cache
def _ogg_table() -> list[int]:
    table = []
    for value in range(256):
        rest = value << 24
        for _ in range(8):
            rest = (rest << 1 ^ OGG_POLYNOMIAL if rest & 0x80000000 else rest << 1) & 0xFFFFFFFF
        table.append(rest)
    return table


def _ogg_checksum(page: bytes) -> int:
    table, rest = _ogg_table(), 0
    for byte in page:
        rest = (rest << 8 & 0xFFFFFFFF) ^ table[rest >> 24 ^ byte]
    return rest
