import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr

from service.errors import AudioTooLong, InputError, UnreadableAudio
from service.media import audio
from service.media.audio import MAX_CHANNELS, MAX_SAMPLE_RATE_HZ, AudioSpec, decode_audio
from tests.golden import GOLDEN_MEDIA, needs_golden
from tests.service.media.mutations import mutate

SPEC, MAX_SECONDS = AudioSpec(), 600.0
KINDS = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("WAVEX", subtype) for subtype in ("PCM_16", "FLOAT")),
    *(("FLAC", subtype) for subtype in ("PCM_16", "PCM_24")),
    *(("OGG", subtype) for subtype in ("VORBIS", "OPUS")),
    ("MP3", "MPEG_LAYER_III"),
]


def tone(seconds, rate_hz=44_100, channels=1):
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).standard_normal((len(time), channels))
    return (0.3 * np.sin(2 * np.pi * 440 * time)[:, None] + 0.05 + 0.02 * noise).astype(np.float32)


def write(samples, rate_hz=44_100, container="WAV", subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def plain(data):
    """The spec's formula, all at once."""
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    clip = soxr.resample(samples.mean(1), rate_hz, 16_000, quality="HQ").astype(np.float64)
    clip = ((clip - clip.mean()) / np.sqrt(clip.var() + 1e-5))[:240_000]
    return clip if len(clip) >= 16_000 else np.resize(clip, 16_000)


def decode(data, max_seconds=MAX_SECONDS):
    return decode_audio(data, spec=SPEC, max_seconds=max_seconds)


def assert_equals_plain(data):
    waveform, expected = decode(data).waveform, plain(data)
    assert waveform.dtype == np.float32
    assert waveform.shape == expected.shape
    # 1e-6, or a few of float32's steps where samples are large
    assert np.abs(waveform - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max() / 4)


@pytest.mark.parametrize(("container", "subtype"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_equals_the_formula(container, subtype, channels):
    rate_hz = 48_000 if subtype == "OPUS" else 44_100
    data = write(tone(1.7, rate_hz, channels), rate_hz, container, subtype)
    assert_equals_plain(data)
    decoded = decode(data)
    assert (decoded.sample_rate_hz, decoded.channels) == (rate_hz, channels)


@pytest.mark.parametrize("rate_hz", [1_000, 8_000, 11_025, 16_000, 22_050, 32_000, 96_000, 192_000, 384_000])
def test_every_rate_equals_the_formula(rate_hz):
    assert_equals_plain(write(tone(1.3, rate_hz), rate_hz, subtype="FLOAT"))


@pytest.mark.parametrize("channels", [3, 6, MAX_CHANNELS])
def test_every_channel_count_equals_the_formula(channels):
    assert_equals_plain(write(tone(1.1, 8_000, channels), 8_000))


def test_long_clip_is_cut_but_normalised_over_all_of_it():
    samples = tone(40, 8_000)
    samples[8_000 * 15 :] *= 3
    data = write(samples, 8_000)
    decoded = decode(data)
    assert_equals_plain(data)
    assert (len(decoded.waveform), decoded.seconds, decoded.used_seconds) == (240_000, 40.0, 15.0)


def test_short_clip_is_repeated_to_exactly_the_least_length():
    data = write(tone(0.3, 16_000), 16_000)
    decoded = decode(data)
    assert_equals_plain(data)
    assert (len(decoded.waveform), decoded.used_seconds) == (16_000, 0.3)
    assert (decoded.waveform[:4800] == decoded.waveform[4800:9600]).all()


@pytest.mark.parametrize("frames", [1, 2, 7, 100])
def test_tiny_clips_are_repeated(frames):
    assert_equals_plain(write(tone(1, 8_000)[:frames], 8_000))


@pytest.mark.parametrize("value", [0.0, 0.5, 1e-40])
def test_constant_clips_become_silence(value):
    waveform = decode(write(np.full((20_000, 1), value, np.float32), 16_000, subtype="FLOAT")).waveform
    assert np.abs(waveform).max() < 1e-3


def test_id3_tag_in_front_is_skipped():
    tag = b"ID3\x04\0\0" + bytes((0, 0, 2, 0)) + bytes(256)
    for kind in (("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16")):
        data = write(tone(1.2), 44_100, *kind)
        assert np.abs(decode(tag + data).waveform - decode(data).waveform).max() < 1e-6


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"text", b"\xff\xfe" + "text in UTF-16".encode("utf-16-le"), b"%PDF-1.7", b"ID3",
     b"\xff\xf1\x50\x80aac", b"RIFF\0\0\0\0WEBP", b"\x1aE\xdf\xa3webm", b"\0\0\0\x20ftypM4A ", b"OggS", b"fLaC",
     b"RIFF\0\0\0\0WAVE"],
)  # fmt: skip
def test_other_content_is_refused_with_the_accepted_formats(data):
    with pytest.raises(UnreadableAudio, match=r"WAV, FLAC, OGG .* MP3 are accepted") as caught:
        decode(data)
    assert "0x" not in caught.value.detail


@pytest.fixture
def unseen(monkeypatch):
    """The library may not be opened."""

    def open_library(*_):
        raise AssertionError("the library saw the file")

    monkeypatch.setattr(audio, "_ForwardReader", open_library)


RARE = ["GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"]


@pytest.mark.parametrize("container", ["AIFF", "AU", "CAF", "W64", "RF64", "VOC", "NIST"])
def test_the_library_does_not_see_other_containers(unseen, container):
    with pytest.raises(UnreadableAudio, match="not a sound file of a known format"):
        decode(write(tone(0.5), 44_100, container))


@pytest.mark.parametrize("subtype", RARE)
def test_the_library_does_not_see_rare_codecs(unseen, subtype):
    with pytest.raises(UnreadableAudio, match="no sound of a known codec"):
        decode(write(tone(0.5, 8_000), 8_000, "WAV", subtype))


def test_the_library_does_not_see_a_rare_codec_behind_an_extensible_header_or_another_chunk(unseen):
    plain_header, extensible = (write(tone(0.5, 8_000), 8_000, container) for container in ("WAV", "WAVEX"))
    place = extensible.index(b"fmt ") + 32
    later = plain_header[:12] + b"JUNK\x03\0\0\0abc\0" + plain_header[12:]
    for data in (
        extensible[:place] + b"\x31\0" + extensible[place + 2 :],
        later.replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x31\0"),
        plain_header.replace(b"fmt ", b"tmf "),
    ):
        with pytest.raises(UnreadableAudio, match="no sound of a known codec"):
            decode(data)


def test_the_library_does_not_see_other_streams_in_ogg(unseen):
    vorbis = write(tone(0.5), 44_100, "OGG", "VORBIS")
    for packet in (b"Speex  ", b"\x7fFLAC\x01\0", b"fishead"):
        with pytest.raises(UnreadableAudio, match="no sound of a known codec"):
            decode(vorbis.replace(b"\x01vorbis", packet, 1))


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "IMA_ADPCM"])
def test_adpcm_is_decoded(subtype):
    assert abs(decode(write(tone(1.7), 44_100, "WAV", subtype)).seconds - 1.7) < 0.1  # whole blocks


def test_a_chunk_of_odd_length_in_front_does_no_harm():
    data = write(tone(1.0))
    assert_equals_plain(data[:12] + b"JUNK\x03\0\0\0abc\0" + data[12:])


def test_sound_without_samples_is_refused():
    for container in ("WAV", "FLAC"):
        with pytest.raises(UnreadableAudio):
            decode(write(np.zeros((0, 1), np.float32), 16_000, container))
    with pytest.raises(UnreadableAudio, match="shorter than one sample"):
        decode(write(np.ones((1, 1), np.float32), 192_000))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize("place", [0, 100_000, -1])
def test_samples_that_are_not_finite_are_refused(value, rate_hz, place):
    samples = tone(20, rate_hz, 2)
    samples[place, 1] = value
    with pytest.raises(UnreadableAudio, match="not finite"):
        decode(write(samples, rate_hz, subtype="FLOAT"))


def test_samples_beyond_float32_are_refused():
    with pytest.raises(UnreadableAudio, match="not finite"):
        decode(write(np.full((9000, 1), 1e300), 8_000, subtype="DOUBLE"))


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 10_000_000])
def test_too_large_length_in_a_wav_header_does_no_harm(size):
    data = bytearray(write(tone(1.5)))
    data[40:44] = struct.pack("<I", size)
    assert (decode(bytes(data)).waveform == decode(write(tone(1.5))).waveform).all()


def test_zero_length_in_a_wav_header_is_refused():
    data = bytearray(write(tone(1.5)))
    data[40:44] = bytes(4)
    with pytest.raises(UnreadableAudio, match="no samples"):
        decode(bytes(data))


@pytest.mark.parametrize(("offset", "packed"), [(24, struct.pack("<I", 999)), (24, struct.pack("<I", 2**31 - 1))])
def test_rate_out_of_bounds_is_refused_by_name(offset, packed):
    data = bytearray(write(tone(1.5)))
    data[offset : offset + 4] = packed
    with pytest.raises(UnreadableAudio, match=f"1000 to {MAX_SAMPLE_RATE_HZ} Hz"):
        decode(bytes(data))


def test_too_many_channels_are_refused_by_name():
    with pytest.raises(UnreadableAudio, match="65 channels; up to 64"):
        decode(write(np.zeros((10, 65), np.float32)))


def silence(seconds, rate_hz=44_100):
    return write(np.zeros((seconds * rate_hz, 1), np.int16), rate_hz, "FLAC")


def test_hour_of_silence_is_refused_by_its_header_at_once():
    data = bytearray(silence(1))
    data[21:26] = bytes((data[21] & 0xF0,)) + (3600 * 44_100).to_bytes(4)  # STREAMINFO's total of samples
    tracemalloc.start()
    with pytest.raises(AudioTooLong) as caught:
        decode(bytes(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (caught.value.limit, caught.value.actual) == (600.0, 3600.0)
    assert peak < 1_000_000


def without_length(flac):
    data = bytearray(flac)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


def test_flac_that_does_not_tell_its_length_is_decoded():
    data = write(tone(3.3, 44_100, 2), 44_100, "FLAC")
    decoded = decode(without_length(data))
    assert decoded.seconds == 3.3
    assert (decoded.waveform == decode(data).waveform).all()


def test_limit_holds_while_decoding_with_little_memory():
    data = without_length(silence(120, 48_000))
    assert decode(data, max_seconds=120).seconds == 120
    tracemalloc.start()
    with pytest.raises(AudioTooLong):
        decode(data, max_seconds=119.9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_truncated_flac_is_refused():
    data = write(tone(2), 44_100, "FLAC")
    for length in (20, 60, len(data) // 2, len(data) - 3):
        with pytest.raises(UnreadableAudio, match="cut off"):
            decode(data[:length])


@pytest.mark.parametrize("kind", [("WAV", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS")])
def test_truncated_streams_give_what_is_there(kind):
    data = write(tone(4), 44_100, *kind)
    assert 1 < decode(data[: len(data) * 2 // 3]).seconds < 3.9


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_raise_nothing_but_input_errors(kind):
    details = []
    for data in mutate(write(tone(0.1, 16_000), 16_000, *kind), 500, seed=len(kind[1])):
        try:
            decode(data, max_seconds=60)
        except InputError as error:
            details.append(error.detail)
    assert details
    assert not [detail for detail in details if "0x" in detail]


@needs_golden
def test_golden_sounds_equal_the_formula():
    files = [path for path in sorted(GOLDEN_MEDIA.iterdir()) if path.suffix in {".wav", ".flac", ".ogg", ".mp3"}]
    assert files
    for path in files:
        assert_equals_plain(path.read_bytes())
