from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from service.media.audio import AudioSpec, decode_audio
from service.media.image import decode_image
from tests.training.tiny import MODEL, VOCABULARY_SIZE, tokenizer
from training.configuration import ModelSettings
from training.data.examples import DataOptions, ExampleSet
from training.data.table import Row, TableError, write_table
from training.models.initialization import model_config

CONFIG = model_config(ModelSettings(**MODEL), VOCABULARY_SIZE)
SIDE = CONFIG.image.image_size


def picture(orientation: int | None = None) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def sound(seconds: float, rate_hz: int = 16_000) -> bytes:
    wave = np.random.default_rng(0).normal(0, 0.2, round(seconds * rate_hz)).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate_hz, format="WAV")
    return buffer.getvalue()


@pytest.fixture
def example_set(tmp_path):
    def example_set(content, label="", **options):
        rows = []
        for number, data in enumerate(content if isinstance(content, list) else [content]):
            path = tmp_path / f"file{number}"
            path.write_bytes(data)
            rows.append(Row(f"id{number}", path, "a red cow", label))
        write_table(tmp_path / "table.tsv", rows)
        return ExampleSet([tmp_path / "table.tsv"], tokenizer(), CONFIG, DataOptions(**options))

    return example_set


def test_a_picture_is_decoded_as_the_service_does(example_set):
    for orientation in (None, 3, 6):
        data = picture(orientation)
        example = example_set(data, media="image", augment=False)[0]
        assert np.array_equal(example.pixels, decode_image(data, size=SIDE, max_pixels=10**6).pixels)
        assert example.tokens.tolist() == tokenizer().encode("a red cow").ids
        assert example.waveform is None
        assert example.target is None


def test_a_sound_is_decoded_as_the_service_does(example_set):
    for data in (sound(0.4), sound(2.5), sound(3, 44_100), sound(17)):
        example = example_set(data, media="audio", augment=False)[0]
        assert np.array_equal(example.waveform, decode_audio(data, spec=AudioSpec(), max_seconds=60).waveform)
        assert example.pixels is None


def test_without_augmentation_options_of_augmentation_change_nothing(example_set):
    examples = example_set(picture(), media="image", augment=False, min_scale=0.3)
    assert torch.equal(examples[0].pixels, examples[17].pixels)
    assert np.array_equal(examples[0].pixels, decode_image(picture(), size=SIDE, max_pixels=10**6).pixels)


def test_a_crop_is_a_window_of_the_larger_picture(example_set):
    examples = example_set(picture(), media="image", min_scale=0.25)
    whole = torch.from_numpy(decode_image(picture(), size=2 * SIDE, max_pixels=10**6).pixels)
    windows = whole.unfold(1, SIDE, 1).unfold(2, SIDE, 1)  # [3, 33, 33, S, S]
    places = set()
    for index in range(40):
        found = (windows == examples[index].pixels[:, None, None]).flatten(3).all(3).all(0).nonzero()
        assert len(found) == 1
        places.add(tuple(found[0].tolist()))
    assert len(places) > 35
    tops, lefts = zip(*places, strict=True)
    assert min(tops) < 6
    assert max(tops) > SIDE - 6
    assert min(lefts) < 6
    assert max(lefts) > SIDE - 6


def test_a_stretched_crop_is_a_part_of_the_picture_at_another_ratio(example_set):
    """Red grows to the right and green downwards, so that their slopes tell the crop's width and height."""
    ramp = np.zeros((300, 300, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 250, 300)[None]
    ramp[..., 1] = np.linspace(0, 250, 300)[:, None]
    examples = example_set(encode(ramp), media="image", min_scale=0.5, max_stretch=1.3)
    ratios, areas = [], []
    for index in range(60):
        pixels = examples[index].pixels.float()
        assert pixels.shape == (3, SIDE, SIDE)
        red, green = pixels[0].mean(0), pixels[1].mean(1)
        width, height = (float(line[-2] - line[1]) / 250 * SIDE / (SIDE - 3) for line in (red, green))
        ratios.append(width / height)
        areas.append(width * height)
    assert max(ratios) == pytest.approx(1.3, abs=0.12)
    assert min(ratios) == pytest.approx(1 / 1.3, abs=0.12)
    assert min(areas) > 0.45
    assert max(areas) > 0.85


def test_colours_are_jittered_channel_by_channel(example_set):
    examples = example_set(encode(np.full((40, 40, 3), 100, np.uint8)), media="image", colour_jitter=0.2)
    gains = torch.stack([examples[index].pixels.float().mean((1, 2)) / 100 for index in range(60)])
    assert float(gains.min()) == pytest.approx(0.8, abs=0.03)
    assert float(gains.max()) == pytest.approx(1.2, abs=0.03)
    assert float(torch.corrcoef(gains.T)[0, 1].abs()) < 0.5
    bright = example_set(encode(np.full((40, 40, 3), 250, np.uint8)), media="image", colour_jitter=0.2)
    assert all(int(bright[index].pixels.min()) >= 199 for index in range(20))  # clipped, not wrapped


def test_clips_are_played_faster_and_slower(example_set):
    """The pitch of a tone of 200 Hz tells the speed, the length must agree."""
    tone = np.sin(2 * np.pi * 200 * np.arange(32_000) / 16_000).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone, 16_000, format="WAV")
    examples = example_set(buffer.getvalue(), media="audio", max_speed=1.25)
    speeds = []
    for index in range(60):
        waveform = examples[index].waveform.numpy()
        crossings = np.count_nonzero(np.diff(np.signbit(waveform)))
        speeds.append(crossings / len(waveform) * 16_000 / 400)
        assert len(waveform) == pytest.approx(32_000 / speeds[-1], rel=0.01)
    assert max(speeds) == pytest.approx(1.25, abs=0.04)
    assert min(speeds) == pytest.approx(0.8, abs=0.03)


def test_a_slower_clip_is_not_longer_than_allowed(example_set):
    examples = example_set(sound(2.0), media="audio", max_speed=1.25, max_seconds=2.0)
    lengths = [len(examples[index].waveform) for index in range(30)]
    assert max(lengths) == 32_000
    assert min(lengths) < 30_000


def test_the_label_can_be_the_text(example_set):
    examples = example_set(sound(1.0), "cow", media="audio", text="label")
    assert examples[0].tokens.tolist() == tokenizer().encode("cow").ids


def test_labels_are_names_or_numbers(example_set):
    def classes(label, **options):
        content = sound(1.0)
        return example_set(content, label, media="audio", target="label", labels=("cow", "dog", "cat"), **options)

    assert classes("dog")[0].target == 1
    assert classes("2")[0].target == 2
    assert classes("cow,cat", multi_label=True)[0].target.tolist() == [1, 0, 1]
    for label in ("wolf", "3", "cow,cat", ""):
        with pytest.raises(TableError, match=r"'id0'\): '.*' is none of the 3 labels"):
            classes(label)


def test_a_clip_that_gets_shorter_than_a_second_is_repeated(example_set):
    examples = example_set(sound(1.0), media="audio", max_speed=1.25)
    assert min(len(examples[index].waveform) for index in range(20)) == 16_000


def test_a_crop_follows_from_seed_and_index_alone(example_set):
    def crops(seed, indices):
        options = {"min_scale": 0.3, "max_stretch": 1.2, "colour_jitter": 0.1}
        examples = example_set([picture(), picture(6)], media="image", **options)
        examples.seed = seed
        return {index: examples[index].pixels for index in indices}

    forward, backward, other = crops(5, range(8)), crops(5, reversed(range(8))), crops(6, range(8))
    assert all(torch.equal(forward[index], backward[index]) for index in range(8))
    assert not any(torch.equal(forward[index], other[index]) for index in range(8))
    assert not torch.equal(forward[0], forward[2])  # the same row in the next epoch


def test_a_region_becomes_shares_of_the_upright_picture(example_set):
    example = example_set(picture(), "6,4,30,40", media="image", target="region")[0]
    assert torch.allclose(example.target, torch.tensor([0.1, 0.1, 0.5, 1.0]))
    turned = example_set(picture(6), "6,4,30,40", media="image", target="region")[0]  # upright: 40 × 60
    assert torch.allclose(turned.target, torch.tensor([6 / 40, 4 / 60, 30 / 40, 40 / 60]))


def test_a_label_becomes_its_number(example_set):
    examples = example_set(sound(1), "dog", media="audio", target="label", labels=("cow", "dog"))
    assert examples[0].target.item() == 1


def test_a_long_sound_is_cut_at_random_places(example_set):
    data = sound(6)
    examples = example_set(data, media="audio", max_seconds=2)
    whole = decode_audio(data, spec=AudioSpec(), max_seconds=60).waveform
    starts = set()
    for index in range(12):
        wave = examples[index].waveform.numpy()
        assert len(wave) == 32_000
        found = np.lib.stride_tricks.sliding_window_view(whole, 8)
        start = int(np.flatnonzero((found == wave[:8]).all(1))[0])
        assert np.array_equal(whole[start : start + 32_000], wave)
        assert np.array_equal(examples[index].waveform, wave)  # the same again
        starts.add(start)
    assert len(starts) > 10
    assert max(starts) - min(starts) > 32_000


def test_a_short_sound_is_not_cut(example_set):
    example = example_set(sound(1.5), media="audio", max_seconds=2)[0]
    assert len(example.waveform) == 24_000


def test_lengths_of_sounds_come_from_their_headers(example_set):
    examples = example_set([sound(2), sound(9), sound(3, 44_100)], media="audio", max_seconds=5)
    assert examples.durations_s().tolist() == [2, 5, 3]
    assert example_set([picture()] * 3, media="image").durations_s().tolist() == [1, 1, 1]


@pytest.mark.parametrize("media", ["image", "audio"])
def test_an_unreadable_file_is_named_with_its_id(example_set, media):
    with pytest.raises(TableError, match=r"file1 \(example 'id1'\)"):
        example_set([picture() if media == "image" else sound(1), b"nonsense"], media=media)[1]


def test_an_unreadable_sound_is_named_when_lengths_are_asked(example_set, tmp_path):
    with pytest.raises(TableError, match=r"file1 \(example 'id1'\)"):
        example_set([sound(1), b"nonsense"], media="audio").durations_s()
    examples = example_set([sound(1)], media="audio")
    (tmp_path / "file0").unlink()
    with pytest.raises(TableError, match=r"file0 \(example 'id0'\)"):
        examples.durations_s()


def test_an_absent_file_is_named_with_its_id(example_set, tmp_path):
    examples = example_set(picture(), media="image")
    (tmp_path / "file0").unlink()
    with pytest.raises(TableError, match=r"file0 \(example 'id0'\)"):
        examples[0]


def test_a_target_that_can_not_be_used_is_named(example_set):
    with pytest.raises(TableError, match=r"example 'id0'.*'4,3'"):
        example_set(picture(), "4,3", media="image", target="region")[0]
    with pytest.raises(TableError, match=r"example 'id0'.*'cat'"):
        example_set(sound(1), "cat", media="audio", target="label", labels=("cow", "dog"))[0]


def test_tables_and_folders_of_classes_join(tmp_path):
    for name in ("red", "dark_blue"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        (tmp_path / "classes" / name / "0.jpg").write_bytes(picture())
    write_table(tmp_path / "table.tsv", [Row("1", tmp_path / "classes" / "red" / "0.jpg", "a picture")])
    paths = [tmp_path / "table.tsv", tmp_path / "classes"]
    examples = ExampleSet(paths, tokenizer(), CONFIG, DataOptions("image"))
    assert [row.text for row in examples.rows] == ["a picture", "dark blue", "red"]
    assert len(examples) == 3
