"""Text → token ids, through the model's own `tokenizer.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from service.errors import InvalidField, InvalidText
from service.repository import PAD_TOKEN, RepositoryError

TextSource = str | list[int]
"""A text, or its ids in the model's own vocabulary."""
_COUNTED_AT_ONCE = 1 << 16  # characters


@dataclass(frozen=True, slots=True)
class EncodedText:
    """Ids of one text."""

    tokens: NDArray[np.int64]  # [n], end token included, no padding
    truncated: bool  # the text had more tokens than the model takes


class TextTokenizer:
    """The text pipeline of one model. Threads may share it."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Load a `tokenizer.json`.

        Args:
            path: the file; it fixes the number of ids after which a text is cut.
            max_bytes: longest text accepted, in bytes of UTF-8.

        Raises:
            RepositoryError: the file is not a tokenizer.
        """
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise RepositoryError(f"{path}: not a tokenizer: {error}") from error
        self._max_bytes = max_bytes
        truncation = self._tokenizer.truncation
        self._max_tokens: int | None = truncation["max_length"] if truncation else None
        self._end = self._tokenizer.encode("").ids[-1]
        ids = np.fromiter(self._tokenizer.get_vocab(with_added_tokens=True).values(), dtype=np.int64)
        self._is_known = np.bincount(ids) > 0  # [largest id + 1]
        self._is_known &= _made_by_merges(json.loads(self._tokenizer.to_str())["model"], len(self._is_known))
        self._is_known[PAD_TOKEN] = False  # the model would not see it

    def encode(self, text: str) -> EncodedText:
        """Token ids of `text`, which may be empty; what is beyond the model's limit is cut off.

        Raises:
            InvalidText: longer than `max_bytes`, or with a lone surrogate.
        """
        self._check(text)
        encoding = self._tokenizer.encode(text)
        tokens = np.array(encoding.ids, dtype=np.int64)
        # Only a text at the limit can have been cut; `overflowing` copies all that was.
        return EncodedText(tokens, len(tokens) == self._max_tokens and bool(encoding.overflowing))

    def take(self, ids: list[int]) -> EncodedText:
        """Ids that a caller made with this very tokenizer; the end token is appended unless it stands there already.

        Args:
            ids: at least one, 0 to 2³¹ − 1. What is beyond the model's limit is cut off, as of a text.

        Raises:
            InvalidText: more ids than a text may have bytes: each stands for one at least.
            InvalidField: an id that no text can have there: the end token stands last only.
        """
        if len(ids) > self._max_bytes:
            detail = f"the text has {len(ids)} token ids, the limit is {self._max_bytes}, as of bytes"
            raise InvalidText(detail, limit=self._max_bytes, actual=len(ids))
        given = np.array(ids, dtype=np.int64)
        largest = len(self._is_known) - 1
        if ids[-1] == self._end:
            given = given[:-1]
        is_wrong = (given > largest) | ~self._is_known[np.minimum(given, largest)]
        if is_wrong.any():
            place = int(is_wrong.argmax())
            if ids[place] > largest:
                detail = f"token id {ids[place]} at {place} is not one of the model's tokenizer (0 to {largest})"
                raise InvalidField(detail, limit=largest, actual=ids[place])
            raise InvalidField(f"token id {ids[place]} at {place} is one that no text has there", actual=ids[place])
        kept = len(given) if self._max_tokens is None else self._max_tokens - 1
        return EncodedText(np.append(given[:kept], self._end), len(given) > kept)

    def _check(self, text: str) -> None:
        """Refuse what is too long before all of it is copied: a character has 1 to 4 bytes."""
        if len(text) > self._max_bytes:
            refuse_long(count_bytes(text), self._max_bytes)
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidText("the text has a lone surrogate, which UTF-8 can't carry") from error
        refuse_long(size, self._max_bytes)


def _made_by_merges(model: dict[str, Any], count: int) -> NDArray[np.bool_]:
    """Which of `count` ids texts can have: not the special tokens of a BPE model's vocabulary."""
    can_be = np.ones(count, dtype=np.bool_)
    if model["type"] != "BPE":
        return can_be
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
    merged = {"".join(pair) for pair in pairs} | {model["unk_token"]}
    for token, number in model["vocab"].items():
        can_be[number] = len(token) == 1 or token in merged
    return can_be


def refuse_long(size: int, max_bytes: int) -> None:
    """Make sure that a text of `size` bytes may be had.

    Raises:
        InvalidText: it has more than `max_bytes`.
    """
    if size > max_bytes:
        raise InvalidText(f"the text has {size} bytes, the limit is {max_bytes}", limit=max_bytes, actual=size)


def count_bytes(text: str) -> int:
    """Bytes of UTF-8, counted piece by piece; a lone surrogate counts 3."""
    pieces = range(0, len(text), _COUNTED_AT_ONCE)
    return sum(len(text[start : start + _COUNTED_AT_ONCE].encode("utf-8", "surrogatepass")) for start in pieces)
