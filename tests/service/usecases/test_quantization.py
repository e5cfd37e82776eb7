"""The smaller forms of vectors, against their formulae spelled out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from service.usecases.quantization import quantize, shorten, to_bits, to_int8


def unit_vectors(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_int8_keeps_cosines_and_uses_the_whole_range() -> None:
    vectors = unit_vectors(50, 1536)
    small = to_int8(vectors)
    assert small.dtype == np.int8
    assert (np.abs(small.astype(int)).max(axis=1) == 127).all()
    back = small / np.linalg.norm(small.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(back @ back.T, vectors @ vectors.T, atol=2e-3)


def test_int8_is_the_rounded_share_of_the_largest_number() -> None:
    vector = np.array([0.5, -1.0, 0.004, 0.0], dtype=np.float32)
    assert to_int8(vector).tolist() == [64, -127, 1, 0]


def test_bits_are_the_signs_first_one_highest_filled_up_with_zeros() -> None:
    vector = np.array([1, -1, 1, 1, -1, 0, -1, 1, 1, -1], dtype=np.float32)
    assert to_bits(vector).tolist() == [0b10110001, 0b10000000]


def test_hamming_distances_of_bits_tell_cosines() -> None:
    left, right = unit_vectors(2, 60_000)
    mixed = left + 0.7 * right
    mixed = (mixed / np.linalg.norm(mixed)).astype(np.float32)
    distance = int(np.bitwise_count(to_bits(left) ^ to_bits(mixed)).sum())
    assert math.cos(math.pi * distance / 60_000) == pytest.approx(float(left @ mixed), abs=0.02)


def test_a_shortened_vector_is_the_normalised_head() -> None:
    vectors = unit_vectors(3, 16)
    heads = vectors[:, :4]
    np.testing.assert_allclose(shorten(vectors, 4), heads / np.linalg.norm(heads, axis=1, keepdims=True), atol=1e-6)
    assert shorten(vectors, 16) is vectors


def test_a_head_of_zeros_stays_zero() -> None:
    assert shorten(np.array([0, 0, 1], dtype=np.float32), 2).tolist() == [0, 0]


def test_float_is_little_endian() -> None:
    assert quantize(np.array([1.0], dtype=np.float32), "float").tobytes() == b"\x00\x00\x80\x3f"
