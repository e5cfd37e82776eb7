"""The released vocabulary files: `encoder.json`, `vocab.bpe` and `dict.txt`.

bytes → printable characters → merges of vocab.bpe → BPE ids of encoder.json → ids by line of dict.txt
"""

from __future__ import annotations

import json
from pathlib import Path

ENCODER_FILE, MERGES_FILE, DICTIONARY_FILE = "encoder.json", "vocab.bpe", "dict.txt"
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")  # ids 0 to 3; dict.txt starts behind them
END = 2  # closes every text


class TokenizerError(ValueError):
    """The vocabulary files can't be read or don't belong together; the message names the file and the reason."""


def read_vocabulary(bpe_dir: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Read the three files of `bpe_dir`.

    Returns:
        The dictionary's id of every string that BPE can produce, and the merges, first one first.

    Raises:
        TokenizerError: a file is missing or broken, or the files contradict each other.
    """
    merges = _read_merges(bpe_dir / MERGES_FILE)
    bpe_ids = _read_encoder(bpe_dir / ENCODER_FILE)
    dictionary = _read_dictionary(bpe_dir / DICTIONARY_FILE)
    return _vocabulary(merges, bpe_ids, dictionary), merges


def byte_characters() -> list[str]:
    """GPT-2's printable character for each byte 0 to 255: itself where it prints, else the next one from U+0100."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


def _vocabulary(merges: list[tuple[str, str]], bpe_ids: dict[str, int], dictionary: dict[str, int]) -> dict[str, int]:
    """Dictionary id of every string that BPE can produce.

    The reference gives <unk> to a BPE id that dict.txt lacks. Here that is an error: `tokenizer.json` holds one
    string for each id, and the released dictionary lacks none.
    """
    vocabulary = {special: index for index, special in enumerate(SPECIALS)}
    for token in [*byte_characters(), *(left + right for left, right in merges)]:
        if token not in bpe_ids:
            raise TokenizerError(f"{ENCODER_FILE} lacks {token!r}, which {MERGES_FILE} makes")
        if str(bpe_ids[token]) not in dictionary:
            raise TokenizerError(f"{DICTIONARY_FILE} lacks the BPE id {bpe_ids[token]}, {token!r} in {ENCODER_FILE}")
        if token in vocabulary:
            raise TokenizerError(f"{MERGES_FILE} makes {token!r}, which is a special token")
        vocabulary[token] = dictionary[str(bpe_ids[token])]
    return vocabulary


def _read_encoder(path: Path) -> dict[str, int]:
    try:
        ids = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise TokenizerError(f"{path}: not JSON: {error}") from error
    if not isinstance(ids, dict) or not all(type(value) is int for value in ids.values()):
        raise TokenizerError(f"{path}: must map strings to integers")
    if len(set(ids.values())) < len(ids):
        raise TokenizerError(f"{path}: two strings have the same id")
    return ids


def _read_merges(path: Path) -> list[tuple[str, str]]:
    """The merges, first one first. Each part must exist by then, and no string may be made twice.

    Only then does the order in which the library merges give the reference's result.
    """
    made, merges = set(byte_characters()), []
    for number, line in _lines(path)[1:]:
        left, _, right = line.partition(" ")
        if not {left, right} <= made:
            raise TokenizerError(f"{path}, line {number}: {line!r} must be two strings that exist by then")
        if left + right in made:
            raise TokenizerError(f"{path}, line {number}: {left + right!r} is made a second time")
        made.add(left + right)
        merges.append((left, right))
    return merges


def _read_dictionary(path: Path) -> dict[str, int]:
    """Words of `<word> <count>` lines and their ids: four specials, then line by line."""
    ids: dict[str, int] = {}
    for number, line in _lines(path):
        word, _, count = line.rpartition(" ")
        if not word or not count.isdecimal():
            raise TokenizerError(f"{path}, line {number}: {line!r} must be a word and a count")
        if word in ids:
            raise TokenizerError(f"{path}, line {number}: {word!r} stands here a second time")
        ids[word] = len(SPECIALS) + number - 1
    return ids


def _lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(_read(path).removesuffix("\n").split("\n"), start=1))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{path}: {error}") from error
