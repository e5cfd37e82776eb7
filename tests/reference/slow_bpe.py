"""The reference's text pipeline, step by step and slowly. It shares nothing with the exported one."""

import json
from itertools import pairwise
from pathlib import Path

import regex

PRE_TOKEN = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
UNKNOWN, END = 3, 2


class SlowBpe:
    """Token ids of a text, from the three vocabulary files."""

    def __init__(self, bpe_dir: Path) -> None:
        self.encoder = json.loads((bpe_dir / "encoder.json").read_text("utf-8"))
        merges = (bpe_dir / "vocab.bpe").read_text("utf-8").split("\n")[1:-1]
        self.rank = {tuple(merge.split()): rank for rank, merge in enumerate(merges)}
        words = (line.split(" ")[0] for line in (bpe_dir / "dict.txt").read_text("utf-8").splitlines())
        self.dictionary = {word: index for index, word in enumerate(words, start=4)}
        self.byte_character = _byte_characters()

    def tokens(self, text: str, max_ids: int = 70) -> tuple[list[int], bool]:
        """Ids with the end token, and whether something was cut off."""
        ids = []
        for word in PRE_TOKEN.findall(" " + text.lower()):
            ids += self._word_ids(word)
        return [*ids[:max_ids], END], len(ids) > max_ids

    def _word_ids(self, word: str) -> list[int]:
        parts = [self.byte_character[byte] for byte in word.encode("utf-8")]
        while True:
            pairs = [pair for pair in pairwise(parts) if pair in self.rank]
            if not pairs:
                break
            parts = _merge(parts, min(pairs, key=self.rank.__getitem__))
        return [self.dictionary.get(str(self.encoder[part]), UNKNOWN) for part in parts]


def _merge(parts: list[str], pair: tuple[str, str]) -> list[str]:
    merged, index = [], 0
    while index < len(parts):
        if tuple(parts[index : index + 2]) == pair:
            merged.append(pair[0] + pair[1])
            index += 2
        else:
            merged.append(parts[index])
            index += 1
    return merged


def _byte_characters() -> dict[int, str]:
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in kept}
    for offset, byte in enumerate(byte for byte in range(256) if byte not in kept):
        table[byte] = chr(256 + offset)
    return table
