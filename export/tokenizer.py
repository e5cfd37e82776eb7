"""`tokenizer.json`: the whole way from a text to token ids, in one file for the `tokenizers` library.

    text → lower case → one space in front → GPT-2 pre-tokens → bytes → BPE → ids of dict.txt → 70 ids → end token

The result of `Tokenizer.from_file(path).encode(text)`:

- `ids`: 2 to 71 ids, the last one is the end token 2. The empty text gives the ids of one space and the end.
- the text was cut exactly when `len(ids) == 71 and encoding.overflowing`; asked in this order it costs nothing for
  a short text (`overflowing` copies all that was cut off).
- `attention_mask` has no meaning; pad a batch of ids with 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from export.unicode_classes import case_ignorable, cased, class_body, code_points, matching

ENCODER_FILE, MERGES_FILE, DICTIONARY_FILE = "encoder.json", "vocab.bpe", "dict.txt"
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")  # ids 0 to 3; dict.txt starts behind them
END = 2


class TokenizerError(ValueError):
    """The vocabulary files can't be read or don't belong together; the message names the file and the reason."""


def build_tokenizer(bpe_dir: Path, max_ids: int = 70) -> Tokenizer:
    """Join `encoder.json`, `vocab.bpe` and `dict.txt` of `bpe_dir` into one tokenizer.

    The pipeline is the reference's (fairseq's GPT-2 BPE behind `str.lower`). Characters are classed by the Python
    and the `regex` module that run this; one difference stays: letters too young for this Python's Unicode are
    lower-cased where the `tokenizers` library knows how.

    Args:
        bpe_dir: folder of the three files.
        max_ids: ids of one text without the end token; the rest is cut off.

    Raises:
        TokenizerError: a file is missing or broken, or the files contradict each other.
    """
    merges = _read_merges(bpe_dir / MERGES_FILE)
    bpe_ids = _read_encoder(bpe_dir / ENCODER_FILE)
    dictionary = _read_dictionary(bpe_dir / DICTIONARY_FILE)
    tokenizer = Tokenizer(models.BPE(vocab=_vocabulary(merges, bpe_ids, dictionary), merges=merges))
    tokenizer.normalizer = text_normalizer()
    tokenizer.pre_tokenizer = text_pre_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {SPECIALS[END]}", special_tokens=[(SPECIALS[END], END)]
    )
    tokenizer.enable_truncation(max_ids + 1)
    _answer_empty_text(tokenizer)
    return tokenizer


def byte_characters() -> list[str]:
    """GPT-2's printable character for each byte 0 to 255: itself where it prints, else the next one from U+0100."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


def _answer_empty_text(tokenizer: Tokenizer) -> None:
    """Give "" the ids of one space and the end, as the reference does.

    No normaliser can put a space into an empty text, so the space is written as "padding": texts of less than two
    ids are filled from the left with the id of a space. Any other text has two ids or more, so nothing is padded.
    """
    space = byte_characters()[ord(" ")]
    tokenizer.enable_padding(direction="left", length=2, pad_id=tokenizer.token_to_id(space), pad_token=space)


def text_normalizer() -> normalizers.Normalizer:
    """`str.lower` and one space in front.

    `Lowercase` maps character by character. What `str.lower` maps otherwise is replaced before: the capital sigma at
    the end of a word, and characters that only this Python's Unicode version knows.
    """
    library = normalizers.Lowercase()
    letter, skipped = f"[{class_body(cased())}]", f"[{class_body(case_ignorable())}]*+"
    steps: list[normalizers.Normalizer] = [
        normalizers.Replace(Regex(rf"{letter}{skipped}\KΣ(?!{skipped}{letter})"), "ς")
    ]
    for character in code_points():
        lower = character.lower()
        if lower not in (character, library.normalize_str(character)):
            steps.append(normalizers.Replace(character, lower))
    return normalizers.Sequence([*steps, library, normalizers.Prepend(" ")])


def text_pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """GPT-2's split pattern (openai/gpt-2, `encoder.py`), its classes spelled out, then bytes as characters."""
    letters, numbers, spaces = (class_body(matching(pattern)) for pattern in (r"\p{L}", r"\p{N}", r"\s"))
    pattern = (
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+| ?[^{spaces}{letters}{numbers}]+"
        rf"|[{spaces}]+(?![^{spaces}])|[{spaces}]+"
    )
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


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
    lines: Iterable[str] = _read(path).removesuffix("\n").split("\n")
    return list(enumerate(lines, start=1))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{path}: {error}") from error
