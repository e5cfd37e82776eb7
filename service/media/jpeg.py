"""JPEG: the header, and decoding by libjpeg-turbo at full size or, for large pictures, at a half, a quarter, an eighth.

A scaled decode must keep both sides at `SCALED_SIDE_FACTOR` times the model's size. docs/preprocessing.md has the
differences that were measured, and why the factor is 4.
"""

from __future__ import annotations

import re
import struct

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from service.errors import UnreadableImage
from service.media.image_file import ImageFile, damaged

SCALED_SIDE_FACTOR = 4
MAX_SCANS = 128  # a progressive file has about 10; each costs a pass over the whole picture
MAX_SEGMENTS = 4_096
MARKER = re.compile(rb"\xff[\x01-\xfe]")
START_OF_SCAN, EXIF_SEGMENT = 0xDA, 0xE1
STANDALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
PROGRESSIVE_MARKERS = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Components → colour space to ask libjpeg-turbo for, Pillow's mode, and how Pillow reads the bytes. RGBX is how Pillow
# keeps RGB, so that taking it over costs little. Four components are taken as Adobe writes them, inverted; so does
# Pillow.
LAYOUTS = {1: ("GRAY", "L", "L"), 3: ("RGBX", "RGB", "RGBX"), 4: ("CMYK", "CMYK", "CMYK;I")}


def read_jpeg(data: bytes) -> tuple[ImageFile, bytes | None]:
    """Size of a JPEG from its frame header (ITU T.81, B.2.2), and its EXIF block.

    Raises:
        UnreadableImage: there is no frame header before the pixels, or too many segments or scans.
    """
    offset, size, exif, components, progressive = 2, None, None, 0, False
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(data, offset)  # decoders skip stray bytes too
        if found is None or found.start() + 5 > len(data):
            break
        offset, marker = found.start(), data[found.start() + 1]
        if marker in STANDALONE_MARKERS:
            offset += 2
            continue
        (length,) = struct.unpack_from(">H", data, offset + 2)
        if marker in FRAME_MARKERS and offset + 10 <= len(data):
            height, width, components = struct.unpack_from(">HHB", data, offset + 5)
            size, progressive = (width, height), marker in PROGRESSIVE_MARKERS
        elif marker == EXIF_SEGMENT and exif is None and data[offset + 4 : offset + 10] == b"Exif\0\0":
            exif = data[offset + 10 : offset + 2 + length]
        elif marker == START_OF_SCAN:
            if progressive or data[offset + 4] < components:
                _check_scans(data, offset)
            break
        offset += 2 + length
    else:
        raise damaged("JPEG", f"made of more than {MAX_SEGMENTS} segments")
    if size is None:
        raise damaged("JPEG")
    return ImageFile("JPEG", *size, data), exif


def _check_scans(data: bytes, offset: int) -> None:
    """Count the scans: 0xFF is escaped within them, so that every match is one, or nearly so."""
    if data.count(b"\xff\xda", offset) > MAX_SCANS:
        raise UnreadableImage(f"the JPEG file has more than {MAX_SCANS} scans")


def decode_jpeg(file: ImageFile, size: int) -> tuple[Image.Image, tuple[float, float]]:
    """Decode to a picture in mode L or RGB, and the width and height within it that the picture fills.

    A file that is cut off is refused. Other damage that libjpeg can step over is accepted, as Pillow and browsers do:
    cameras and phones write stray bytes before markers.

    Raises:
        UnreadableImage: the file can't be decoded.
    """
    height, width, colours, _subsampling = _read_header(file.body)
    components = {"Gray": 1, "CMYK": 4, "YCCK": 4}.get(colours, 3)
    if (width, height) != (file.width, file.height):
        raise damaged("JPEG", "damaged")
    colour_space, mode, raw_mode = LAYOUTS[components]
    divisor = scale_divisor(width, height, size)
    wanted = {"min_width": -(-width // divisor), "min_height": -(-height // divisor)} if divisor > 1 else {}
    try:
        pixels = simplejpeg.decode_jpeg(file.body, colour_space, **wanted)
    except ValueError as error:
        if "premature end" in str(error).lower():
            raise damaged("JPEG", "cut off") from error
        pixels = _decode_leniently(file.body, colour_space, wanted)
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels, "raw", raw_mode)
    filled = (min(width / divisor, pixels.shape[1]), min(height / divisor, pixels.shape[0]))
    return image.convert("RGB") if mode == "CMYK" else image, filled


def scale_divisor(width: int, height: int, size: int) -> int:
    """How much smaller to decode: 1, 2, 4 or 8, such that both sides stay ≥ `SCALED_SIDE_FACTOR` × `size`."""
    least = SCALED_SIDE_FACTOR * size
    return max(divisor for divisor in (1, 2, 4, 8) if divisor == 1 or min(width, height) >= least * divisor)


def _read_header(data: bytes) -> tuple[int, int, str, str]:
    try:
        height, width, colours, subsampling = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise damaged("JPEG") from error
    return int(height), int(width), colours, subsampling


def _decode_leniently(data: bytes, colour_space: str, wanted: dict[str, int]) -> npt.NDArray[np.uint8]:
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colour_space, strict=False, **wanted)
    except ValueError as error:
        raise damaged("JPEG", "damaged") from error
    return pixels
