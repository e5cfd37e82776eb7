"""What atheris calls with bytes that it makes from the coverage of earlier ones. `experiments/coverage_guided` runs it.

python -m tests.load.fuzz_target picture FOLDER -max_total_time=600     until it fails or the time is over

FOLDER gets `corpus/` (seeds at first, then what reached something new), and on a failure the input and its traceback.
Anything but the service's own errors is a failure. To see one again: give its file as an argument.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service.media", "service.wire", "python_multipart", "PIL"]):
    from service.errors import ServiceError
    from service.media.audio import AudioSpec, decode_audio
    from service.media.audio_windows import Windows, decode_clip
    from service.media.image import decode_image, decode_regions
    from service.routes.classify import FORM
    from service.wire.checking import parse_json
    from service.wire.form import arrange
    from service.wire.multipart import parse_multipart

from tests.load.hostile.mutation import mutate_once
from tests.load.hostile.seeds import Seed, find_seeds

FAILURE = "failure.txt"
SIZE, MOST_PIXELS = 32, 1_000_000  # small, so that more is tried in a second
MOST_S = 60.0
LARGEST_SEED = 16_384
REGIONS = ((0.1, 0.2, 0.5, 0.6), (0.9, 0.9, 1.0, 1.0))
FORMS = (
    b'b--b\r\nContent-Disposition: form-data; name="label"\r\n\r\na cow\r\n--b--\r\n',
    b'b--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG'
    b'\r\n--b\r\nContent-Disposition: form-data; name="template"\r\n\r\n{}\r\n--b--\r\n',
    b'b{"inputs": [{"text": "a", "image": "AAAA"}], "on_error": "report"}',
)


def read_picture(data: bytes) -> None:
    """A picture's file."""
    decode_image(data, size=SIZE, max_pixels=MOST_PIXELS)
    decode_regions(data, REGIONS, size=SIZE, max_pixels=MOST_PIXELS)


def read_sound(data: bytes) -> None:
    """A sound's file."""
    decode_audio(data, spec=AudioSpec(), max_seconds=MOST_S)
    clip = decode_clip(data, AudioSpec(), Windows(5.0, 5.0), max_seconds=MOST_S, max_windows=12)
    for start_s, end_s in clip.spans():
        clip.waveform(start_s, end_s)


def read_form(data: bytes) -> None:
    """A multipart body behind the first byte, which is the boundary; and the same bytes as JSON."""
    with suppress(ServiceError):
        parse_json(data[1:])
    arrange(parse_multipart(data[1:], f'multipart/form-data; boundary="{chr(data[0])}"'), FORM)


def read_with_a_bug(data: bytes) -> None:
    """The control: a decoder that does not expect a palette of 256 colours in a GIF."""
    if data[:3] == b"GIF" and data[10:11] and data[10] & 0x87 == 0x87:
        raise IndexError("a bug")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "picture": read_picture,
    "sound": read_sound,
    "form": read_form,
    "control": read_with_a_bug,
}
KINDS = {"picture": "image", "control": "image", "sound": "audio"}


def seeds_of(target: str) -> list[Seed]:
    """What to begin with."""
    if target == "form":
        return [Seed("image", "", data) for data in FORMS]
    return [seed for seed in find_seeds() if seed.kind == KINDS[target] and len(seed.data) <= LARGEST_SEED]


def watched(target: str, folder: Path) -> Callable[[bytes], None]:
    """The target; what it must not raise is written down."""
    read = TARGETS[target]

    def try_one(data: bytes) -> None:
        try:
            read(data or b"\0")
        except ServiceError:
            return
        except Exception:
            (folder / FAILURE).write_text(traceback.format_exc())
            raise

    return try_one


def mutator(seeds: Sequence[Seed]) -> Callable[[bytes, int, int], bytes]:
    """Damage that knows the formats, and libFuzzer's own, in turn."""
    forms = sorted({seed.form for seed in seeds})

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        source = random.Random(seed)
        if not data or source.random() < 0.5:
            return atheris.Mutate(data, max_size)
        return mutate_once(source, data, source.choice(forms), source.choice(seeds))[:max_size]

    return mutate


def main() -> None:
    """Run libFuzzer; it ends the process."""
    target, folder, *options = sys.argv[1:]
    seeds = seeds_of(target)
    corpus = Path(folder) / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed.data)
    arguments = [sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)]
    atheris.Setup(arguments, watched(target, Path(folder)), custom_mutator=mutator(seeds))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
