"""TIFF tag directories, as they stand in TIFF files and EXIF blocks (TIFF 6.0, section 2; BigTIFF).

A directory is small but may point anywhere, many times over: values are read only for the tags that are asked for, and
only up to `MAX_VALUE_COUNT` of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from service.errors import UnreadableImage
from service.media.image_file import ImageFile, damaged

WIDTH, HEIGHT, COMPRESSION, ORIENTATION, TILE_WIDTH, TILE_HEIGHT = 256, 257, 259, 274, 322, 323
BITS, SAMPLES, ROWS_PER_STRIP = 258, 277, 278
# What the pixels of a TIFF need: everything but names, dates, profiles and directories within directories.
PIXEL_TAGS = frozenset(
    {254, 262, 266, 273, 279, 284, 292, 293, 317, 320, 324, 325, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515}
    | {519, 520, 521, 529, 530, 531, 532}
    | {WIDTH, HEIGHT, COMPRESSION, BITS, SAMPLES, ROWS_PER_STRIP, TILE_WIDTH, TILE_HEIGHT}
)
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
MAX_ENTRIES = 4_096
MAX_VALUE_COUNT = 131_072  # strips of a picture 65,535 rows high, two planes; and every colour map


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag: `raw` is its value, or the values' offset when they take more room than the entry has."""

    type: int
    count: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """The first directory of a file. `big`: BigTIFF, with offsets of 8 bytes instead of 4."""

    order: str
    big: bool
    entries: dict[int, Entry]

    def integer(self, tag: int) -> int | None:
        """The tag's single unsigned number."""
        entry = self.entries.get(tag)
        if entry is None or entry.count != 1 or entry.type not in INTEGERS:
            return None
        return int(struct.unpack_from(self.order + INTEGERS[entry.type], entry.raw)[0])


def read_directory(data: bytes) -> Directory | None:
    """Read the first directory of a TIFF structure; None when it has none within `data`."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    width = 8 if big else 4
    number = order + ("Q" if big else "I")
    (offset,) = struct.unpack_from(number, data, width)
    head = 8 if big else 2
    if offset + head > len(data):
        return None
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
    size = 4 + 2 * width
    if count > MAX_ENTRIES or offset + head + count * size > len(data):
        return None
    entries: dict[int, Entry] = {}
    for place in range(offset + head, offset + head + count * size, size):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        (values,) = struct.unpack_from(number, data, place + 4)
        entries.setdefault(tag, Entry(kind, values, data[place + 4 + width : place + size]))
    return Directory(order, big, entries)


def read_orientation(exif: bytes | None) -> int:
    """Orientation 1 to 8 from an EXIF block (CIPA DC-008, 4.6.5.1.6); 1 when it is missing or makes no sense."""
    directory = read_directory((exif or b"").removeprefix(b"Exif\0\0"))
    return _orientation(directory) if directory else 1


def read_tiff(data: bytes) -> ImageFile:
    """A TIFF's first picture, with one directory that holds only what its pixels need.

    Raises:
        UnreadableImage: the directory is damaged or holds more strips than any sane picture.
    """
    directory = read_directory(data)
    if directory is None:
        raise damaged("TIFF")
    width, height = directory.integer(WIDTH), directory.integer(HEIGHT)
    if not width or not height:
        raise damaged("TIFF", "damaged: it has no size")
    kept = {tag: entry for tag, entry in sorted(directory.entries.items()) if tag in PIXEL_TAGS}
    for entry in kept.values():
        if entry.count > MAX_VALUE_COUNT or entry.type not in TYPE_BYTES:
            raise UnreadableImage("the TIFF file has a tag of an unknown type or with too many values")
    tile = (directory.integer(TILE_WIDTH) or 0) * (directory.integer(TILE_HEIGHT) or 0)
    body = _with_directory(data, directory, kept)
    return ImageFile("TIFF", width, height, body, _orientation(directory), tile)


def _orientation(directory: Directory) -> int:
    value = directory.integer(ORIENTATION) or 1
    return value if value <= 8 else 1


def _with_directory(data: bytes, directory: Directory, entries: dict[int, Entry]) -> bytes:
    """`data` with `entries` as its only directory: appended, and pointed at from the header."""
    order, number = directory.order, directory.order + ("Q" if directory.big else "I")
    width = 8 if directory.big else 4
    padding = b"\0" * (-len(data) % 8)
    parts = [struct.pack(order + ("Q" if directory.big else "H"), len(entries))]
    for tag, entry in entries.items():
        parts += [struct.pack(order + "HH", tag, entry.type), struct.pack(number, entry.count), entry.raw]
    parts.append(b"\0" * width)  # no next directory
    start = struct.pack(number, len(data) + len(padding))
    return b"".join((data[:width], start, data[2 * width :], padding, *parts))
