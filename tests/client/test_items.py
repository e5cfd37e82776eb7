"""What is wrong with an argument is said before anything is sent, and by its place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image as PilImage

from onepeace_client import Audio, Client, Fused, Image, Tokens, Vector
from onepeace_client.arrays import pil_file, sound_file
from onepeace_client.file_kind import HEAD_BYTES, media_kind
from service.media.image_file import sniff_format
from service.media.sound_container import sniff_container
from tests.client.scripted_server import give_vectors, scripted_server
from tests.service.media_files import clip, picture

NOISE = np.zeros((4, 4, 3), np.uint8)
TONE = np.zeros(100, np.float32)


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (3, TypeError, r"items\[1\]: int is no item"),
        (None, TypeError, r"items\[1\]: NoneType is no item"),
        (["nested"], TypeError, r"items\[1\]: list is no item"),
        (TONE, TypeError, r"items\[1\]: a picture array must be uint8.*Audio\(array, sample_rate_hz\)"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, r"items\[1\]: .*\[4, 4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"items\[1\]: .*\[0, 4, 3\]"),
        (Audio(TONE), ValueError, r"items\[1\]: a sound array needs sample_rate_hz"),
        (Audio(TONE, 0), ValueError, r"items\[1\]: a sound array needs sample_rate_hz"),
        (Audio(TONE.reshape(1, 100), 8000), ValueError, r"items\[1\]: .*\[T, C\]"),
        (Audio(np.array([np.nan], np.float32), 8000), ValueError, r"items\[1\]: .*finite"),
        (Audio(np.zeros(4, np.int64), 8000), TypeError, r"items\[1\]: .*int64"),
        (Audio("a.wav"), ValueError, r"items\[1\]: a str is a URL here .* not 'a.wav'; a file is Path"),
        (Image("http://a/b.png"), ValueError, r"items\[1\]: a str is a URL here and must begin with https://"),
        (Image("https://a/\ud800"), ValueError, r"items\[1\]: the text holds a lone surrogate"),
        (Image(3), TypeError, r"items\[1\]: Image takes a Path, bytes, a URL"),
        (Tokens([]), ValueError, r"items\[1\]: ids must be integers"),
        (Tokens([1.5]), ValueError, r"items\[1\]: ids must be integers"),
        (Tokens([True]), ValueError, r"items\[1\]: ids must be integers"),
        (Tokens([[1]]), ValueError, r"items\[1\]: ids must be integers"),
        (Tokens("4"), ValueError, r"items\[1\]: ids must be integers"),
        (Tokens([4, -1]), ValueError, r"items\[1\]: ids must lie within 0"),
        (Tokens([2**31]), ValueError, r"items\[1\]: ids must lie within 0"),
        (Vector(np.ones(3)), TypeError, r"items\[1\]: Vector is no item here"),
        (Fused([]), ValueError, r"items\[1\].parts must not be empty"),
        (Fused(["a"], [1, 2]), ValueError, r"items\[1\]: 2 weights for 1 parts"),
        (Fused(["a"], [float("inf")]), ValueError, r"items\[1\]: weights must be finite"),
        (Fused(["a", 3]), TypeError, r"items\[1\].parts\[1\]: int is no item"),
        (Fused([Fused(["a"])]), TypeError, r"items\[1\].parts\[0\]: Fused is no item"),
        ("\ud800", ValueError, r"items\[1\]: the text holds a lone surrogate"),
        (b"neither", ValueError, r"items\[1\]: neither a picture's nor a sound's file"),
    ],
)
def test_a_wrong_item_is_named_and_nothing_is_sent(item: object, error: type[Exception], message: str) -> None:
    with scripted_server(give_vectors) as server, Client(server.url) as client:
        with pytest.raises(error, match=message):
            client.embed(["good", item])
        assert not server.posts


@pytest.mark.parametrize("items", ["a cow", b"a cow", Path("cow.jpg"), 3, NOISE])
def test_a_bare_item_is_no_list(items: object) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(TypeError, match="items must be a list"):
        client.embed(items)


def test_an_empty_list_is_refused() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ValueError, match="items must not be empty"):
        client.embed([])


def test_other_arguments_are_looked_at_too() -> None:
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(TypeError, match="image: must be a picture, not str"):
            client.ground("cow.jpg", ["a cow"])
        with pytest.raises(TypeError, match="image: must be a picture, not Tokens"):
            client.ground(Tokens([4]), ["a cow"])
        with pytest.raises(TypeError, match=r"templates\[0\]: must be a string, not int"):
            client.classify("a cow", ["cow"], templates=[3])
        with pytest.raises(TypeError, match=r"phrases\[1\]: must be a string, not int"):
            client.ground(NOISE, ["a cow", 3])
        with pytest.raises(TypeError, match="labels must be a list"):
            client.classify("a cow", "cow")
        with pytest.raises(TypeError, match="clip: must be a sound"):
            client.audio_labels("moo.flac")
        with pytest.raises(ValueError, match="on_error"):
            client.embed(["a"], on_error="ignore")
        with pytest.raises(ValueError, match=r"queries\[0\]: .*finite"):
            client.similarity([Vector(np.array([np.nan]))], ["a"])


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", ""])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:8000"):
        Client(url)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF"])
def test_a_pictures_kind_is_told_as_the_server_tells_it(form: str) -> None:
    data = picture(1, form=form)
    assert sniff_format(data) == form
    assert media_kind(data[:HEAD_BYTES]) == "image"


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_sounds_kind_is_told_as_the_server_tells_it(form: str) -> None:
    data = clip(1, form=form)
    assert sniff_container(data) == form
    assert media_kind(data[:HEAD_BYTES]) == "audio"


@pytest.mark.parametrize("data", [b"", b"B", b"\xff", b"RIFF", b"a text", b"%PDF-1.7", b"RIFF1234AVI "])
def test_other_bytes_have_no_kind(data: bytes) -> None:
    assert media_kind(data) is None


@pytest.mark.parametrize("shape", [(100,), (100, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_a_sound_array_survives_as_a_file(shape: tuple[int, ...], dtype: str) -> None:
    samples = (np.random.default_rng(1).uniform(-1, 1, shape) * (30_000 if dtype == "int16" else 1)).astype(dtype)
    back, rate = soundfile.read(
        io.BytesIO(sound_file(samples, 22_050)), dtype="int16" if dtype == "int16" else "float32"
    )
    assert rate == 22_050
    np.testing.assert_array_equal(back, samples.astype(back.dtype))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_a_pil_picture_survives_as_a_file(mode: str) -> None:
    original = PilImage.fromarray(np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)).convert(mode)
    with PilImage.open(io.BytesIO(pil_file(original))) as back:
        np.testing.assert_array_equal(np.asarray(back.convert("RGB")), np.asarray(original.convert("RGB")))


def test_a_pil_pictures_orientation_goes_with_it() -> None:
    turned = PilImage.new("RGB", (4, 2))
    turned.getexif()[0x0112] = 6
    with PilImage.open(io.BytesIO(pil_file(turned))) as back:
        assert back.getexif()[0x0112] == 6
