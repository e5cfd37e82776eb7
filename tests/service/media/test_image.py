import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.errors import ImageTooLarge, InputError, UnreadableImage
from service.media.image import decode_image
from service.media.jpeg import MAX_SCANS, scale_divisor
from tests.golden import GOLDEN_MEDIA, needs_golden
from tests.service.media.mutations import mutate

SIZE, MAX_PIXELS = 48, 50_000_000
TEXT_FORMATS = "JPEG, PNG, WebP, GIF, BMP and TIFF are accepted"


def picture(width=120, height=80):
    """Smooth colours with edges and a little noise."""
    y, x = np.mgrid[:height, :width]
    planes = [128 + 100 * np.sin(x / 9), 255 * ((x // 16 + y // 16) % 2), 255 * y / height]
    noise = np.random.default_rng(0).integers(-8, 9, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8))


def save(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(data, size=SIZE):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def decode(data, size=SIZE, max_pixels=MAX_PIXELS):
    return decode_image(data, size=size, max_pixels=max_pixels)


def difference(data, size=SIZE):
    return np.abs(decode(data, size).pixels.astype(int) - plain(data, size)).max()


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *extra, pixels=b""):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    parts = (header, *extra, png_chunk(b"IDAT", zlib.compress(pixels)), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


MODES = [
    *((mode, "JPEG") for mode in ("L", "RGB", "CMYK")),
    *((mode, "PNG") for mode in ("1", "L", "LA", "RGB", "RGBA", "P")),
    *((mode, "TIFF") for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "YCbCr")),
    *((mode, "WEBP") for mode in ("RGB", "RGBA")),
    *((mode, "GIF") for mode in ("1", "L", "P", "RGBA")),
    *((mode, "BMP") for mode in ("1", "L", "RGB", "P")),
]


@pytest.mark.parametrize(("mode", "kind"), MODES)
def test_pixels_are_pillows(mode, kind):
    assert difference(save(picture().convert(mode), kind)) <= 1


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"restart_marker_rows": 1}, {"keep_rgb": True}],
)
def test_every_kind_of_jpeg_gives_pillows_pixels(options):
    assert difference(save(picture(), "JPEG", **options)) <= 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "zstd"])
@pytest.mark.parametrize("big_tiff", [False, True])
def test_compressed_tiffs_give_pillows_pixels(compression, big_tiff):
    assert difference(save(picture(), "TIFF", compression=compression, big_tiff=big_tiff)) <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(picture(), kind, exif=exif.tobytes())
    decoded = decode(data)
    assert (decoded.width, decoded.height) == ((80, 120) if orientation >= 5 else (120, 80))
    assert difference(data) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_hard_edges_are_clipped_in_the_order_of_the_upright_picture(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    edges = Image.fromarray((255 * (np.indices((40, 30)).sum(0) // 5 % 2)).astype(np.uint8))
    assert difference(save(edges, "PNG", exif=exif.tobytes()), size=200) <= 1


def test_result_is_a_contiguous_uint8_square_of_planes():
    for mode in ("L", "RGB"):
        pixels = decode(save(picture().convert(mode), "JPEG")).pixels
        assert pixels.shape == (3, SIZE, SIZE)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind):
    grey = np.linspace(0, 65_535, 64 * 64).reshape(64, 64).astype(np.uint16)
    pixels = decode(save(Image.fromarray(grey), kind), size=64).pixels
    assert np.abs(pixels[0].astype(float) - grey / 257).max() <= 1
    assert (pixels[0] == pixels[1]).all()


def test_big_endian_sixteen_bit_tiff_is_scaled():
    grey = np.linspace(0, 65_535, 64 * 64).reshape(64, 64).astype(">u2")
    image = Image.frombytes("I;16B", (64, 64), grey.tobytes())
    pixels = decode(save(image, "TIFF"), size=64).pixels
    assert np.abs(pixels[0].astype(float) - grey / 257).max() <= 1


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_without_a_range_are_refused(mode):
    with pytest.raises(UnreadableImage, match="32-bit"):
        decode(save(picture().convert(mode), "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame_of_an_animation_is_taken(kind):
    other = Image.new("RGB", (120, 80), "red")
    data = save(picture(), kind, save_all=True, append_images=[other, other])
    assert difference(data) <= 1


def test_palette_with_transparency_keeps_its_colours():
    image = picture().convert("P")
    assert np.abs(decode(save(image, "PNG", transparency=bytes(range(256)))).pixels.astype(int)
                  - plain(save(image, "PNG"))).max() <= 1  # fmt: skip


def test_label_does_not_matter_only_content():
    assert difference(save(picture(), "PNG") + b"trailing bytes") <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_narrow_pictures_are_resized_like_pillow(shape):
    assert difference(save(picture(*shape), "PNG")) <= 1


def test_gif_frame_larger_than_its_screen_is_like_pillow():
    data = bytearray(save(picture(), "GIF"))
    data[6:10] = struct.pack("<HH", 20, 10)
    assert difference(bytes(data)) <= 1
    with pytest.raises(ImageTooLarge):
        decode(bytes(data), max_pixels=120 * 80 - 1)


def test_large_jpeg_is_decoded_small_only_far_above_the_models_size():
    assert scale_divisor(4000, 3000, 256) == 2
    assert scale_divisor(2047, 9000, 256) == 1
    assert scale_divisor(16_384, 16_384, 256) == 8
    assert scale_divisor(60_000, 60_000, 64) == 8


@pytest.mark.parametrize("shape", [(1203, 901), (999, 1001), (1600, 1600)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_scaled_decode_of_a_photograph_stays_near_the_full_one(shape, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = picture().resize(shape, Image.Resampling.BICUBIC)
    data = save(smooth, "JPEG", quality=90, exif=exif.tobytes())
    assert scale_divisor(*shape, SIZE) > 1
    assert difference(data) <= 2
    assert np.abs(decode(data).pixels.astype(int) - plain(data)).mean() <= 0.25


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_truncated_files_are_refused(kind):
    data = save(picture(), kind)
    for length in (*range(12), 20, 40, 100, len(data) // 2, len(data) * 3 // 4):
        with pytest.raises(UnreadableImage, match="accepted"):
            decode(data[:length])


def test_truncated_progressive_jpeg_is_refused():
    data = save(picture(), "JPEG", progressive=True)
    for ending in (b"", b"\xff\xd9"):
        with pytest.raises(UnreadableImage, match="cut off"):
            decode(data[: len(data) * 2 // 3] + ending)


def test_stray_bytes_before_a_marker_are_accepted():
    data = save(picture(), "JPEG")
    assert (decode(data[:-2] + b"\0\0\0\0" + data[-2:]).pixels == decode(data).pixels).all()


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"just text, whatever its name", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n%\xe2\xe3",
     b"BM looks like text", b"\0\0\1\0\1\0\x10\x10", b"RIFF\0\0\0\0WAVEfmt ", b"P6 1 1 255\nabc", b"8BPS\0\1"],
)  # fmt: skip
def test_other_content_is_refused_with_the_accepted_formats(data):
    with pytest.raises(UnreadableImage, match=TEXT_FORMATS) as caught:
        decode(data)
    assert "0x" not in caught.value.detail
    assert "0 bytes" in caught.value.detail or data


def test_pixel_limit_is_read_from_the_header():
    tracemalloc.start()
    with pytest.raises(ImageTooLarge) as caught:
        decode(png(50_000, 50_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (caught.value.limit, caught.value.actual) == (MAX_PIXELS, 2_500_000_000)
    assert peak < 1_000_000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_pixel_limit_holds_for_every_format(kind):
    data = save(picture(), kind)
    assert decode(data, max_pixels=120 * 80).width == 120
    with pytest.raises(ImageTooLarge) as caught:
        decode(data, max_pixels=120 * 80 - 1)
    assert caught.value.actual == 120 * 80


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"quality": 50}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}]
)
def test_every_kind_of_webp_header_is_read(options):
    for shape in ((1, 1), (321, 123)):
        decoded = decode(save(picture(*shape), "WEBP", **options))
        assert (decoded.width, decoded.height) == shape


def test_one_very_long_side_is_refused():
    with pytest.raises(ImageTooLarge) as caught:
        decode(png(1_000_000, 1, pixels=bytes(1_000_001)))
    assert caught.value.limit == 65_535


def test_png_text_and_profile_bombs_are_not_unpacked():
    bomb = zlib.compress(bytes(100_000_000), 9)
    extra = (png_chunk(b"zTXt", b"a\0\0" + bomb), png_chunk(b"iCCP", b"a\0\0" + bomb))
    tracemalloc.start()
    decoded = decode(png(8, 8, *extra, pixels=bytes(72)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoded.width == 8
    assert peak < 2_000_000


def test_png_whose_pixels_inflate_far_beyond_its_size_is_bounded():
    assert decode(png(8, 8, pixels=bytes(50_000_000))).width == 8


def tiff(entries, tail=b""):
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + packed + bytes(4) + tail


TIFF_BASE = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1)]


def test_tiff_tags_that_all_point_at_the_same_megabytes_are_not_read():
    base = [*TIFF_BASE, (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 8), (279, 4, 1, 64)]
    junk = [(40_000 + number, 7, 4_000_000, 8) for number in range(1000)]
    nested = [(34_665, 4, 1, 8), (34_853, 4, 1, 8)]
    tracemalloc.start()
    decode(tiff(sorted(base + junk + nested), bytes(4_100_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000


def test_tiff_with_absurd_tiles_or_strips_is_refused():
    tiles = [*TIFF_BASE, (259, 3, 1, 8), (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 64)]
    with pytest.raises(ImageTooLarge):
        decode(tiff(tiles, bytes(500)))
    with pytest.raises(UnreadableImage):
        decode(tiff([*TIFF_BASE, (273, 4, 3_000_000, 8), (279, 4, 3_000_000, 8)], bytes(12_000_100)))
    with pytest.raises(UnreadableImage):
        decode(
            tiff([*TIFF_BASE, (259, 3, 1, 8), (273, 4, 1, 8), (278, 4, 1, 2**32 - 1), (279, 4, 1, 2**31)], bytes(500))
        )


def test_endless_scans_are_refused():
    data = save(picture(), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(UnreadableImage, match="scans"):
        decode(data[:-2] + data[scan:-2] * MAX_SCANS + data[-2:])


def test_megabytes_of_empty_blocks_end_soon():
    jpeg, gif = save(picture(), "JPEG"), save(picture(), "GIF")
    floods = [
        b"\xff\xd8" + b"\xff" * 10_000_000,
        b"\xff\xd8\xff" + bytes(10_000_000),
        jpeg[:2] + b"\xff\xe2\0\2" * 2_500_000 + jpeg[2:],
        png(8, 8, png_chunk(b"IDAT", b"") * 800_000),
        gif[:781] + b"\x21\xf9\0" * 3_000_000 + gif[781:],
    ]
    start = time.perf_counter()
    for data in floods:
        with pytest.raises(UnreadableImage):
            decode(data)
    assert time.perf_counter() - start < 5


def test_exif_tags_that_all_point_at_the_whole_block_are_not_read():
    tags = b"".join(struct.pack("<HHII", 40_000 + number, 7, 60_000, 0) for number in range(4000))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 4000) + tags + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    data = save(picture(), "JPEG")
    assert decode(data[:2] + segment * 20 + data[2:]).width == 120


@pytest.mark.filterwarnings("ignore")  # Pillow's, about tags that make no sense
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "LZW", "PROGRESSIVE"])
def test_mutated_files_raise_nothing_but_input_errors(kind):
    image = picture(40, 30)
    special = {"LZW": ("TIFF", {"compression": "tiff_lzw"}), "PROGRESSIVE": ("JPEG", {"progressive": True})}
    name, options = special.get(kind, (kind, {}))
    details = []
    for data in mutate(save(image, name, **options), 2000, seed=len(kind)):
        try:
            decode(data, size=16, max_pixels=1_000_000)
        except InputError as error:
            details.append(error.detail)
    assert details
    assert not [detail for detail in details if "0x" in detail]


@needs_golden
@pytest.mark.parametrize("size", [64, 256])
def test_golden_pictures_give_pillows_pixels(size):
    files = [
        path for path in sorted(GOLDEN_MEDIA.iterdir()) if path.suffix in {".jpg", ".png", ".gif", ".bmp", ".webp"}
    ]
    assert files
    for path in files:
        assert difference(path.read_bytes(), size) <= 1, path.name
