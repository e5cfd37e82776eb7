"""Profiles cover every shape that Triton can make of the gateway's requests."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from export.profiles import bucket_profiles, largest_batch, shapes_text, wide_profile
from export.triton.config import native_config
from service.batching.row_queue import Priority, Row, RowQueue
from service.repository import CONTRACTS, ModelCard, ModelFolder, read_repository
from tests.repository import REPOSITORY

MODELS = read_repository(REPOSITORY)


def bucketed(name):
    inputs = [tensor.name for tensor in CONTRACTS[name].inputs]
    return next((tensor for tensor in ("waveform", "tokens") if tensor in inputs), None)


def folder(card, **parameters):
    """A model of which there is no more than its card and its configuration."""
    config = native_config(card)
    for name, value in parameters.items():
        config.parameters[name].string_value = value
    return ModelFolder(card.model, REPOSITORY, card, config, None)


def sound_card(model):
    sizes = {"sample_rate_hz": 16_000, "min_audio_s": 1.0, "max_audio_s": 15.0, "max_tokens": 71, "num_labels": 1}
    return ModelCard(model=model, fingerprint="0" * 64, **sizes)


@pytest.mark.parametrize("name", MODELS)
def test_every_input_has_a_shape_in_every_profile(name):
    model = MODELS[name]
    for profile in (*bucket_profiles(model), wide_profile(model)):
        for shapes in (profile.min, profile.opt, profile.max):
            assert list(shapes) == [tensor.name for tensor in CONTRACTS[name].inputs]
            assert len({shape[0] for shape in shapes.values()}) == 1
        for tensor in profile.opt:
            ranges = zip(profile.min[tensor], profile.opt[tensor], profile.max[tensor], strict=True)
            assert all(0 < low <= middle <= high for low, middle, high in ranges)


@pytest.mark.parametrize("name", [name for name in MODELS if bucketed(name)])
def test_every_length_and_batch_size_is_covered(name):
    model, tensor = MODELS[name], bucketed(name)
    ranges = [(profile.min[tensor], profile.max[tensor]) for profile in bucket_profiles(model)]
    assert {(low[0], high[0]) for low, high in ranges} == {(1, model.max_batch_size)}
    shortest = 1 if tensor == "tokens" else int(model.card.min_audio_s * model.card.sample_rate_hz)
    assert ranges[0][0][1] == shortest
    assert [high[1] for _, high in ranges] == list(model.length_buckets)
    for (_, before), (after, _) in pairwise(ranges):
        assert after[1] == before[1] + 1
    wide = wide_profile(model)
    assert (wide.min[tensor], wide.max[tensor]) == (ranges[0][0], ranges[-1][1])


@pytest.mark.parametrize("name", MODELS)
def test_profiles_are_tuned_for_what_the_gateway_sends(name):
    """`largest_batch` is the largest batch that the gateway's own queue gives."""
    model, tensor = MODELS[name], bucketed(name)
    for profile, bound in zip(bucket_profiles(model), model.length_buckets or (1,), strict=True):
        queue = RowQueue(model.length_buckets)
        for _ in range(model.max_batch_size + 1):
            queue.push(Row({}, bound, 0.0, Priority.BULK, 0.0, None))
        rows = len(queue.take(model.max_batch_size, model.max_batch_positions))
        assert largest_batch(model, bound) == rows
        assert profile.opt[tensor or "pixels"][0] == rows
        if model.max_batch_positions is not None:
            assert rows * bound <= model.max_batch_positions


def test_changed_buckets_still_reach_the_longest_input():
    card = MODELS["text"].card
    profiles = bucket_profiles(folder(card, length_buckets="16,32"))
    assert [profile.max["tokens"][1] for profile in profiles] == [16, 32, 71]


def test_a_model_without_buckets_has_one_profile():
    (profile,) = bucket_profiles(folder(MODELS["text"].card, length_buckets=""))
    assert (profile.min["tokens"], profile.max["tokens"]) == ((1, 1), (64, 71))


def test_any_question_goes_with_a_sound_of_any_length():
    for profile in bucket_profiles(folder(sound_card("audio_qa"))):
        assert (profile.min["tokens"][1], profile.opt["tokens"][1], profile.max["tokens"][1]) == (1, 16, 71)


def test_a_clip_longer_than_a_whole_batch_may_be_still_runs_alone():
    model = folder(sound_card("audio_labels"), max_batch_positions="1000")
    assert {profile.opt["waveform"][0] for profile in bucket_profiles(model)} == {1}


def test_shapes_are_written_as_trtexec_reads_them():
    assert shapes_text({"pixels": (8, 3, 96, 96), "tokens": (8, 16)}) == "pixels:8x3x96x96,tokens:8x16"


def test_profiles_do_not_change_the_configuration():
    before = str(MODELS["image"].config)
    bucket_profiles(dataclasses.replace(MODELS["image"]))
    assert str(MODELS["image"].config) == before
