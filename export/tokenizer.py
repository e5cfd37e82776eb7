"""`tokenizer.json`: the whole way from a text to token ids, in one file for the `tokenizers` library.

    text → lower case → one space in front → GPT-2 pre-tokens → bytes → BPE → ids of dict.txt → 70 ids → end token

The result of `Tokenizer.from_file(path).encode(text)`:

- `ids`: 2 to 71 ids, the last one is the end token 2. The empty text gives the ids of one space and the end.
- the text was cut exactly when `len(ids) == 71 and encoding.overflowing`; asked in this order it costs nothing for
  a short text (`overflowing` copies all that was cut off).
- `attention_mask` has no meaning; pad a batch of ids with 1.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from export.unicode_classes import case_ignorable, cased, class_body, code_points, matching
from export.vocabulary import END, SPECIALS, byte_characters, read_vocabulary


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
    vocabulary, merges = read_vocabulary(bpe_dir)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer = text_normalizer()
    tokenizer.pre_tokenizer = text_pre_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {SPECIALS[END]}", special_tokens=[(SPECIALS[END], END)]
    )
    tokenizer.enable_truncation(max_ids + 1)
    _answer_empty_text(tokenizer)
    return tokenizer


def _answer_empty_text(tokenizer: Tokenizer) -> None:
    """Give "" the ids of one space and the end, as the reference does.

    No normaliser can put a space into an empty text, so the space is written as "padding": texts of less than two
    ids are filled from the left with the id of a space. Any other text has two ids or more, so nothing is padded.
    """
    space = byte_characters()[ord(" ")]
    tokenizer.enable_padding(direction="left", length=2, pad_id=tokenizer.token_to_id(space), pad_token=space)


@cache
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


@cache
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
