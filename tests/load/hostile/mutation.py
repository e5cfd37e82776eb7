"""Damage that knows the formats: bits, lengths, cuts, parts that are repeated, dropped, moved or another file's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.load.hostile.chunks import find_parts, repair
from tests.load.hostile.seeds import Kind, Seed

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
WIDTHS = (1, 2, 3, 4, 8)
HEAD = 128  # headers decide the most: half of the damage is done here
MOST_REPEATS = 64
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mutant:
    """A damaged file; `how` names the damage."""

    kind: Kind
    form: str
    how: str
    data: bytes


def mutate_media(seeds: Sequence[Seed], count: int, seed: int) -> Iterator[Mutant]:
    """`count` damaged files, each seed in turn; the same for the same `seed`."""
    source = random.Random(seed)
    for number in range(count):
        good = seeds[number % len(seeds)]
        other = source.choice([each for each in seeds if each.kind == good.kind])
        data, done = good.data, []
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            name = source.choice(list(WAYS))
            data = WAYS[name](source, data, good.form, other)[:MOST_BYTES] or b"\0"
            done.append(name)
        yield Mutant(good.kind, good.form, " + ".join(done), _maybe_repaired(source, data, good.form))


def mutate_once(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    """One more damage to a file that is taken for one of `form`."""
    broken = source.choice(list(WAYS.values()))(source, data, form, other) or b"\0"
    return _maybe_repaired(source, broken, form)


def _maybe_repaired(source: random.Random, data: bytes, form: str) -> bytes:
    return repair(data, form) if source.random() < 0.7 else data


Way = Callable[[random.Random, bytes, str, Seed], bytes]


def _place(source: random.Random, data: bytes) -> int:
    return source.randrange(min(len(data), HEAD) if source.random() < 0.5 else len(data))


def flip_bits(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    broken = bytearray(data)
    for _ in range(source.choice((1, 2, 8, 32))):
        broken[_place(source, data)] ^= 1 << source.randrange(8)
    return bytes(broken)


def write_extreme(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    """A number with an extreme value anywhere."""
    return _number_at(source, data, _place(source, data))


def write_length(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    """A number with an extreme value at the head of a part, where lengths, sizes and counts stand."""
    start = source.choice(find_parts(data, form)[:-1])
    return _number_at(source, data, min(len(data) - 1, start + source.randrange(24)))


def _number_at(source: random.Random, data: bytes, place: int) -> bytes:
    width = source.choice(WIDTHS)
    value = (source.choice(EXTREMES) & (1 << 8 * width) - 1).to_bytes(width, source.choice(("little", "big")))
    return data[:place] + value + data[place + width :]


def cut(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    return data[: source.randrange(len(data))]


def cut_out(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    start = source.randrange(len(data))
    return data[:start] + data[start + source.randrange(1, 256) :]


def repeat_part(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    start, end = _part(source, data, form)
    return data[:end] + data[start:end] * source.randrange(1, MOST_REPEATS) + data[end:]


def drop_part(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    start, end = _part(source, data, form)
    return data[:start] + data[end:]


def move_part(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    start, end = _part(source, data, form)
    rest = data[:start] + data[end:]
    place = source.choice(find_parts(rest, form)) if rest else 0
    return rest[:place] + data[start:end] + rest[place:]


def splice_part(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    """A part of another file, of the same form or not, in the place of one."""
    start, end = _part(source, data, form)
    first, last = _part(source, other.data, other.form)
    return data[:start] + other.data[first:last] + data[source.choice((start, end)) :]


def cross(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    """The head of one file and the tail of another."""
    return (
        data[: source.choice(find_parts(data, form))] + other.data[source.choice(find_parts(other.data, other.form)) :]
    )


def append_noise(source: random.Random, data: bytes, form: str, other: Seed) -> bytes:
    return data + source.randbytes(source.randrange(1, 4096))


def _part(source: random.Random, data: bytes, form: str) -> tuple[int, int]:
    offsets = find_parts(data, form)
    place = source.randrange(len(offsets) - 1)
    return offsets[place], offsets[place + 1]


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        flip_bits,
        write_extreme,
        write_length,
        cut,
        cut_out,
        repeat_part,
        drop_part,
        move_part,
        splice_part,
        cross,
        append_noise,
    )
}
