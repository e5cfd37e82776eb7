"""Seeded damage to small files: cut, overwritten, doubled, and with bytes that matter to lengths (0, 0x7F, 0xFF)."""

import random
from collections.abc import Iterator


def mutate(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(source.choice((1, 1, 2, 4, 16))):
            # Headers decide the most, so half of the damage is done to the first 128 bytes.
            reach = min(len(broken), 128) if source.random() < 0.5 else len(broken)
            place = source.randrange(reach)
            broken[place] = source.choice((0, 1, 0x7F, 0x80, 0xFF, source.randrange(256)))
        if source.random() < 0.2:
            del broken[source.randrange(1, len(broken)) :]
        if source.random() < 0.1:
            start = source.randrange(len(broken))
            broken[start:start] = broken[start : start + source.randrange(64)]
        yield bytes(broken)
