"""Milliseconds for one decode, beside the plain way of doing the same: `python -m bench.media`.

Plain is Pillow (full decode, EXIF, RGB, bicubic resize) and soundfile + numpy + soxr all at once.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from PIL import Image, ImageFilter, ImageOps

from service.media.audio import AudioSpec, decode_audio
from service.media.image import decode_image

SIZE = 256
REPEATS = 25


def make_jpeg(width: int, height: int) -> bytes:
    """A JPEG with about the detail of a photograph: noise at several scales, quality 90, 4:2:0."""
    source = np.random.default_rng(0)
    picture = Image.new("RGB", (width, height), (128, 128, 128))
    for cells, share in ((8, 0.5), (64, 0.3), (512, 0.12)):
        noise = source.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        picture = Image.blend(picture, Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC), share)
    file = io.BytesIO()
    picture.filter(ImageFilter.SHARPEN).save(file, "JPEG", quality=90)
    return file.getvalue()


def make_sound(container: str, subtype: str) -> bytes:
    """Ten seconds of stereo at 44.1 kHz: two tones in noise."""
    clock = np.arange(441_000) / 44_100
    tones = np.stack([np.sin(2 * np.pi * pitch * clock) for pitch in (440, 660)], 1)
    noise = np.random.default_rng(0).standard_normal(tones.shape)
    file = io.BytesIO()
    soundfile.write(file, 0.3 * tones + 0.02 * noise, 44_100, format=container, subtype=subtype)
    return file.getvalue()


def decode_image_plainly(data: bytes) -> npt.NDArray[np.uint8]:
    """Pillow alone: uint8 [3, S, S]."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    return np.ascontiguousarray(np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)).transpose(2, 0, 1))


def decode_audio_plainly(data: bytes) -> npt.NDArray[np.float32]:
    """The spec's formula on whole arrays: float32 [T]."""
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    clip = soxr.resample(samples.mean(1), rate_hz, 16_000, quality="HQ")
    return np.asarray((clip - clip.mean()) / np.sqrt(clip.var() + 1e-5), np.float32)[:240_000]


def measure_ms(decoders: Sequence[Callable[[bytes], object]], data: bytes) -> list[float]:
    """The best of `REPEATS` runs of each decoder. They take turns, so that a busy neighbour disturbs all alike."""
    best = [float("inf")] * len(decoders)
    for _ in range(REPEATS):
        for place, decode in enumerate(decoders):
            start = time.perf_counter()
            decode(data)
            best[place] = min(best[place], (time.perf_counter() - start) * 1e3)
    return best


def main() -> None:
    """Print one line for each kind of file."""

    def ours(data: bytes) -> object:
        return decode_image(data, size=SIZE, max_pixels=100_000_000)

    def ours_audio(data: bytes) -> object:
        return decode_audio(data, spec=AudioSpec(), max_seconds=600)

    rows: list[tuple[str, bytes, Callable[[bytes], object], Callable[[bytes], object]]] = [
        (f"JPEG {width} × {height}", make_jpeg(width, height), ours, decode_image_plainly)
        for width, height in ((640, 480), (1920, 1080), (4000, 3000))
    ]
    for container, subtype in (("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")):
        name = f"{container} 10 s, stereo, 44.1 kHz"
        rows.append((name, make_sound(container, subtype), ours_audio, decode_audio_plainly))
    print(f"{'file':30} {'ms':>8} {'plain ms':>9} {'ratio':>6}")
    for name, data, decode, plain in rows:
        here, there = measure_ms((decode, plain), data)
        print(f"{name:30} {here:8.2f} {there:9.2f} {here / there:6.2f}")


if __name__ == "__main__":
    main()
