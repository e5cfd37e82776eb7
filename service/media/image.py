"""From an uploaded picture to the square of pixels that the image models take."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from service.errors import OUT_OF_MEMORY, DecoderOutOfMemory, ImageTooLarge, InputError, UnreadableImage
from service.media import image_file
from service.media.image_file import ACCEPTED, damaged, sniff_format
from service.media.jpeg import decode_jpeg, read_jpeg
from service.media.tag_directory import read_orientation, read_tiff

MAX_SIDE = 65_535  # of JPEG and GIF; bounds the resampling table of a picture one pixel wide
# Called directly rather than through `Image.open`: no other format is ever tried, and Pillow's own process-wide pixel
# limit stays out of it.
PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
GREY_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
FLIPPED_DOWN, FLIPPED_ACROSS, TRANSPOSED_FROM = (3, 4, 7, 8), (2, 3, 6, 7), 5
Pixels = npt.NDArray[np.uint8]
Region = tuple[float, float, float, float]
"""x0, y0, x1, y1 as fractions of the upright picture's sides."""
WHOLE: Region = (0.0, 0.0, 1.0, 1.0)
REDUCED_SIDE_FACTOR = 4
"""As of JPEGs (`jpeg.SCALED_SIDE_FACTOR`): photographs stay within 1 grey level."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture made ready for the model.

    Attributes:
        pixels: uint8 [3, S, S], C-contiguous, RGB, [0, 255].
        width, height: of the upright picture in the file, pixels.
    """

    pixels: Pixels
    width: int
    height: int


def decode_image(data: bytes, *, size: int, max_pixels: int) -> DecodedImage:
    """Decode a JPEG, PNG, WebP, GIF, BMP or TIFF (first frame), turn it upright, and resize it to a square.

    The format is told from the content. Alpha is dropped, CMYK converted without profiles, 16-bit grey scaled to 8.
    Resized with Pillow's antialiased bicubic filter; the aspect ratio is not kept. Pixels lie within 1 grey level of
    Pillow's full decode, except for large JPEGs: see docs/preprocessing.md.

    Args:
        data: the file.
        size: side S of the result.
        max_pixels: width × height that is accepted, read from the header before anything is decoded.

    Raises:
        UnreadableImage: not one of the formats, damaged, cut off, or of a pixel type that has no fixed range.
        ImageTooLarge: more pixels than `max_pixels`, or a side over 65,535.
    """
    with _decoder_errors(data, max_pixels):
        picture = _open(data, size, max_pixels)
        return DecodedImage(picture.square(size, WHOLE), picture.width, picture.height)


def decode_regions(data: bytes, regions: Sequence[Region], *, size: int, max_pixels: int) -> list[Pixels]:
    """Decode a picture once and cut regions out of it, each resized: uint8 [3, S, S].

    Where a region ends, the filter sees the pixels beyond, as in Pillow's `resize(box=…)`. Corners may come in any
    order and lie outside; a region is at least one pixel wide and high. Large JPEGs are decoded at the scale that the
    smallest region needs. Large regions are cut out of a picture made smaller by averaging, which still is at least
    `REDUCED_SIDE_FACTOR` times `size` there, so that each costs little however large the picture is.

    Raises:
        UnreadableImage, ImageTooLarge: as `decode_image`.
    """
    regions = [_tidied(region) for region in regions]
    smallest = min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in regions)
    with _decoder_errors(data, max_pixels):
        picture = _open(data, min(MAX_SIDE, math.ceil(size / max(smallest, 1 / MAX_SIDE))), max_pixels)
        factors = {region: picture.factors(size, region) for region in regions}
        squares: dict[Region, Pixels] = {}
        for shared in sorted(set(factors.values())):  # one smaller picture in memory at a time
            reduced = picture.reduced(shared)
            squares |= {region: reduced.square(size, region) for region, own in factors.items() if own == shared}
        return [squares[region] for region in regions]


def _tidied(region: Region) -> Region:
    (x0, x1), (y0, y1) = sorted((region[0], region[2])), sorted((region[1], region[3]))
    left, upper, right, lower = (min(1.0, max(0.0, edge)) for edge in (x0, y0, x1, y1))
    return left, upper, right, lower


@contextmanager
def _decoder_errors(data: bytes, max_pixels: int) -> Iterator[None]:
    """Decoders raise many kinds of errors on hostile files; their messages name addresses."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLarge("the picture has too many pixels", limit=max_pixels) from error
    except MemoryError as error:
        raise DecoderOutOfMemory(OUT_OF_MEMORY) from error
    except Exception as error:
        raise damaged(sniff_format(data) or "JPEG") from error


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded picture of mode L or RGB, not upright yet; `filled` is its part that holds the file's picture.

    Pillow resizes in two passes and clips to [0, 255] in between, so that their order shows at hard edges: a picture
    that stands on its side is transposed before. The flips wait until there are fewer pixels.
    """

    image: Image.Image
    filled: tuple[float, float]
    orientation: int
    width: int
    height: int

    def factors(self, size: int, region: Region) -> tuple[int, int]:
        """How many columns and rows of this picture may become one before a region is resized: powers of two."""
        x0, y0, x1, y1 = region
        sides = (x1 - x0) * self.filled[0], (y1 - y0) * self.filled[1]
        across, down = (2 ** max(0, int(math.log2(max(1.0, side / (REDUCED_SIDE_FACTOR * size))))) for side in sides)
        return across, down

    def reduced(self, factors: tuple[int, int]) -> _Picture:
        """The picture with so many columns and rows averaged to one."""
        if factors == (1, 1):
            return self
        filled = self.filled[0] / factors[0], self.filled[1] / factors[1]
        return replace(self, image=self.image.reduce(factors), filled=filled)

    def square(self, size: int, region: Region) -> Pixels:
        """A region of the upright picture, in fractions of its sides, as uint8 [3, S, S]."""
        x0, y0, x1, y1 = region
        if self.orientation in FLIPPED_DOWN:
            y0, y1 = 1 - y1, 1 - y0
        if self.orientation in FLIPPED_ACROSS:
            x0, x1 = 1 - x1, 1 - x0
        left, right = _at_least_one_pixel(x0 * self.filled[0], x1 * self.filled[0], self.filled[0])
        upper, lower = _at_least_one_pixel(y0 * self.filled[1], y1 * self.filled[1], self.filled[1])
        resized = self.image.resize((size, size), Image.Resampling.BICUBIC, box=(left, upper, right, lower))
        pixels = _flip(np.asarray(resized), self.orientation)
        planes = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else np.broadcast_to(pixels, (3, size, size))
        return np.ascontiguousarray(planes)


def _at_least_one_pixel(start: float, end: float, side: float) -> tuple[float, float]:
    least = min(1.0, side)
    if end - start >= least:
        return start, end
    start = min(max(0.0, (start + end - least) / 2), side - least)
    return start, start + least


def _open(data: bytes, size: int, max_pixels: int) -> _Picture:
    """Decode a picture, large JPEGs no larger than a square of side `size` needs."""
    file, orientation = _read_header(data)
    _check_size(file, max_pixels)
    image, filled = decode_jpeg(file, size) if file.format == "JPEG" else _decode_with_pillow(file)
    if orientation < TRANSPOSED_FROM:
        return _Picture(image, filled, orientation, file.width, file.height)
    upright = image.transpose(Image.Transpose.TRANSPOSE)
    return _Picture(upright, filled[::-1], orientation, file.height, file.width)


def _read_header(data: bytes) -> tuple[image_file.ImageFile, int]:
    """The file without what its pixels don't need, and its EXIF orientation."""
    match sniff_format(data):
        case "JPEG":
            file, exif = read_jpeg(data)
        case "PNG":
            file, exif = image_file.read_png(data)
        case "WebP":
            file, exif = image_file.read_webp(data)
        case "GIF":
            file, exif = image_file.read_gif(data), None
        case "BMP":
            file, exif = image_file.read_bmp(data), None
        case "TIFF":
            file, exif = read_tiff(data), None
            return file, file.orientation
        case None:
            what = "0 bytes" if not data else "not a picture of a known format"
            raise UnreadableImage(f"{what}; {ACCEPTED}")
    return file, read_orientation(exif)


def _check_size(file: image_file.ImageFile, max_pixels: int) -> None:
    pixels, size = file.width * file.height, f"{file.width} × {file.height}"
    if not pixels:
        raise damaged(file.format, "damaged: it has no pixels")
    if max(pixels, file.block_pixels) > max_pixels:
        detail = f"the picture is {size} pixels; {max_pixels} pixels are accepted"
        raise ImageTooLarge(detail, limit=max_pixels, actual=max(pixels, file.block_pixels))
    if max(file.width, file.height) > MAX_SIDE:
        detail = f"the picture is {size} pixels; a side of {MAX_SIDE} is accepted"
        raise ImageTooLarge(detail, limit=MAX_SIDE, actual=max(file.width, file.height))


def _decode_with_pillow(file: image_file.ImageFile) -> tuple[Image.Image, tuple[int, int]]:
    """Decode to mode L or RGB."""
    image = PLUGINS[file.format](io.BytesIO(file.body))
    if image.width * image.height > file.width * file.height:
        raise damaged(file.format, "damaged")
    image.load()
    image.info.pop("transparency", None)
    return _to_eight_bits(image, file), image.size


def _to_eight_bits(image: Image.Image, file: image_file.ImageFile) -> Image.Image:
    """Mode L or RGB. 16-bit grey maps [0, 65535] to [0, 255]; Pillow's own conversion clips it to white."""
    if image.mode in GREY_16_BIT:
        order = ">u2" if image.mode == "I;16B" else "<u2"
        grey = np.frombuffer(image.tobytes(), order).astype(np.uint32)
        return Image.frombytes("L", image.size, ((grey + 128) // 257).astype(np.uint8).tobytes())
    if image.mode in ("I", "F"):
        raise UnreadableImage(
            f"the {file.format} file has 32-bit samples, which have no fixed range; 8 or 16 are accepted"
        )
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _flip(square: Pixels, orientation: int) -> Pixels:
    """The flips of an EXIF orientation (CIPA DC-008, 4.6.5.1.6), on S × S [× channels]; 5 to 8 come transposed."""
    if orientation in FLIPPED_DOWN:
        square = square[::-1]
    if orientation in FLIPPED_ACROSS:
        square = square[:, ::-1]
    return square
