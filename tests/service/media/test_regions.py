"""Regions of pictures against Pillow's own, of the upright picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.errors import ImageTooLarge, UnreadableImage
from service.media.image import decode_image, decode_regions

SIZE, MAX_PIXELS = 32, 10_000_000


def saved(kind: str, orientation: int = 1, size: tuple[int, int] = (120, 80)) -> bytes:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, kind, exif=exif, quality=95)
    return buffer.getvalue()


def pillows(data: bytes, box: tuple[int, int, int, int]) -> np.ndarray:
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    return np.asarray(upright.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)).transpose(2, 0, 1)


def fractions(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    return box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]


def difference(left: np.ndarray, right: np.ndarray) -> int:
    return int(np.abs(left.astype(int) - right).max())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_region_is_pillows_region_of_the_upright_picture(kind: str, orientation: int) -> None:
    data = saved(kind, orientation)
    size = (80, 120) if orientation >= 5 else (120, 80)
    boxes = [(10, 5, 50, 65), (0, 0, 40, 20), (37, 30, size[0], size[1])]
    regions = decode_regions(data, [fractions(box, size) for box in boxes], size=SIZE, max_pixels=MAX_PIXELS)
    for box, region in zip(boxes, regions, strict=True):
        assert (region.shape, region.dtype) == ((3, SIZE, SIZE), np.uint8)
        assert difference(region, pillows(data, box)) <= 1


def test_the_whole_picture_is_what_decode_image_gives() -> None:
    data = saved("JPEG")
    (whole,) = decode_regions(data, [(0, 0, 1, 1)], size=SIZE, max_pixels=MAX_PIXELS)
    np.testing.assert_array_equal(whole, decode_image(data, size=SIZE, max_pixels=MAX_PIXELS).pixels)


def test_corners_in_any_order_and_beyond_the_edges_are_put_right() -> None:
    data = saved("PNG")
    turned, plain, beyond, clipped = decode_regions(
        data,
        [(0.75, 0.5, 0.25, 0.125), (0.25, 0.125, 0.75, 0.5), (-3, 0.5, 0.5, 7), (0, 0.5, 0.5, 1)],
        size=SIZE,
        max_pixels=MAX_PIXELS,
    )
    np.testing.assert_array_equal(turned, plain)
    np.testing.assert_array_equal(beyond, clipped)


@pytest.mark.parametrize(
    "region", [(0.5, 0.5, 0.5, 0.5), (1, 1, 1, 1), (0, 0, 0, 1), (2, 2, 3, 3), (0.2, 0, 0.2001, 1)]
)
def test_a_region_without_area_is_one_pixel_wide(region: tuple[float, float, float, float]) -> None:
    (pixels,) = decode_regions(saved("PNG"), [region], size=SIZE, max_pixels=MAX_PIXELS)
    assert pixels.shape == (3, SIZE, SIZE)


def test_a_picture_of_one_pixel_has_regions() -> None:
    data = saved("PNG", size=(1, 1))
    (pixels,) = decode_regions(data, [(0.2, 0.2, 0.4, 0.4)], size=SIZE, max_pixels=MAX_PIXELS)
    assert len(np.unique(pixels[0])) == 1


def test_a_small_region_of_a_large_jpeg_keeps_its_detail() -> None:
    size = (4000, 3000)
    data = saved("JPEG", size=size)
    box = (2000, 1500, 2100, 1580)
    (region,) = decode_regions(data, [fractions(box, size)], size=SIZE, max_pixels=20_000_000)
    assert difference(region, pillows(data, box)) <= 1


def test_limits_and_damage_are_errors_as_for_whole_pictures() -> None:
    with pytest.raises(ImageTooLarge):
        decode_regions(saved("PNG"), [(0, 0, 1, 1)], size=SIZE, max_pixels=100)
    with pytest.raises(UnreadableImage):
        decode_regions(saved("PNG")[:-200], [(0, 0, 1, 1)], size=SIZE, max_pixels=MAX_PIXELS)


def test_equal_regions_are_cut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts: list[object] = []
    resize = Image.Image.resize

    def counted(self: Image.Image, *arguments: object, **named: object) -> Image.Image:
        cuts.append(named["box"])
        return resize(self, *arguments, **named)  # type: ignore[arg-type]

    data = saved("PNG")
    monkeypatch.setattr(Image.Image, "resize", counted)
    regions = [(0.1, 0.1, 0.6, 0.6), (0.6, 0.6, 0.1, 0.1), (0.2, 0.2, 0.9, 0.9)] * 20
    squares = decode_regions(data, regions, size=SIZE, max_pixels=MAX_PIXELS)
    assert (len(squares), len(cuts)) == (60, 2)


@pytest.mark.parametrize("orientation", [1, 6])
def test_large_regions_are_averaged_first_and_stay_within_a_level_of_pillows(orientation: int) -> None:
    size = (600, 900) if orientation >= 5 else (900, 600)
    data = saved("PNG", orientation, (901, 601))
    boxes = [(0, 0, *size), (3, 5, 590, 561), (10, 10, 140, 590), (7, 3, 50, 40)]
    upright = (601, 901) if orientation >= 5 else (901, 601)
    regions = decode_regions(data, [fractions(box, upright) for box in boxes], size=SIZE, max_pixels=MAX_PIXELS)
    for box, region in zip(boxes, regions, strict=True):
        assert difference(region, pillows(data, box)) <= 1


def test_however_many_large_regions_read_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region of any picture is resized from at most 2 × 4 × S columns and rows."""
    resized: list[tuple[float, float, float, float]] = []
    resize = Image.Image.resize

    def noted(self: Image.Image, *arguments: object, **named: object) -> Image.Image:
        resized.append(named["box"])  # type: ignore[arg-type]
        return resize(self, *arguments, **named)  # type: ignore[arg-type]

    data = saved("PNG", 1, (3000, 2000))
    monkeypatch.setattr(Image.Image, "resize", noted)
    regions = [(0.0, 0.0, 1.0 - i / 200, 1.0 - i / 300) for i in range(50)]
    decode_regions(data, regions, size=SIZE, max_pixels=MAX_PIXELS)
    assert len(resized) == 50
    assert all(max(x1 - x0, y1 - y0) < 2 * 4 * SIZE for x0, y0, x1, y1 in resized)
