import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from export.tokenizer import build_tokenizer
from service.errors import InvalidField, InvalidText
from service.media.text import TextTokenizer
from training.data.vocabulary import write_vocabulary

MAX_BYTES = 100_000


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    write_vocabulary(folder)
    build_tokenizer(folder).save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


@pytest.fixture(scope="module")
def tokenizer(tokenizer_path: Path) -> TextTokenizer:
    return TextTokenizer(tokenizer_path, MAX_BYTES)


def test_tokens_are_int64_without_padding(tokenizer: TextTokenizer, tokenizer_path: Path) -> None:
    encoded = tokenizer.encode("A brown dog")
    assert encoded.tokens.dtype == np.int64
    assert encoded.tokens.tolist() == Tokenizer.from_file(str(tokenizer_path)).encode("A brown dog").ids
    assert not encoded.truncated


def test_empty_text_is_answered(tokenizer: TextTokenizer) -> None:
    encoded = tokenizer.encode("")
    assert encoded.tokens.shape == (2,)
    assert not encoded.truncated


def test_nul_is_a_character_like_any_other(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode("a\x00b").tokens.tolist() != tokenizer.encode("ab").tokens.tolist()


@pytest.mark.parametrize(("words", "truncated"), [(70, False), (71, True), (20_000, True)])
def test_truncation_is_reported(tokenizer: TextTokenizer, words: int, truncated: bool) -> None:
    encoded = tokenizer.encode("dog " * (words - 1) + "dog")
    assert encoded.tokens.shape == (71,)
    assert encoded.truncated == truncated


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc80" * 5000, "\ude00\ud83d"])
def test_lone_surrogate_is_refused(tokenizer: TextTokenizer, text: str) -> None:
    with pytest.raises(InvalidText, match="surrogate"):
        tokenizer.encode(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("a" * 100_001, 100_001), ("日" * 33_334, 100_002), ("日" * 200_000, 600_000), ("\ud800" * 100_001, 300_003)],
)
def test_too_long_text_is_refused_with_both_sizes(tokenizer: TextTokenizer, text: str, size: int) -> None:
    with pytest.raises(InvalidText) as caught:
        tokenizer.encode(text)
    assert (caught.value.limit, caught.value.actual) == (MAX_BYTES, size)


def test_text_of_exactly_the_limit_is_accepted(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode("日" * 33_333 + "a").truncated


def test_long_texts_have_the_ids_of_the_whole(tokenizer: TextTokenizer, tokenizer_path: Path) -> None:
    whole, rng = Tokenizer.from_file(str(tokenizer_path)), random.Random(5)
    pieces = [
        "dog",
        "ΟΔΟΣ",
        "Σ",
        "'",
        "\u0301",
        " ",
        "  ",
        "\t",
        "\u3000",
        "日",
        "a" * 900,
        "x" * 2000,
        "1",
        ". ",
        "'S",
    ]
    for _ in range(400):
        text = "".join(rng.choices(pieces, k=rng.randrange(1, 60)))
        encoding, encoded = whole.encode(text), tokenizer.encode(text)
        assert encoded.tokens.tolist() == encoding.ids, ascii(text)
        assert encoded.truncated == bool(encoding.overflowing), ascii(text)


def test_one_long_word_of_few_tokens_is_not_cut_early(tokenizer_path: Path, tmp_path: Path) -> None:
    # 4096 × "a" as one token, so that a long text stays below the limit of tokens
    merges = [("a" * 2**n, "a" * 2**n) for n in range(12)]
    whole = Tokenizer.from_file(str(tokenizer_path))
    whole.model = type(whole.model)(vocab={"Ġ": 4, **{"a" * 2**n: 5 + n for n in range(13)}}, merges=merges)
    whole.save(str(tmp_path / "tokenizer.json"))
    encoded = TextTokenizer(tmp_path / "tokenizer.json", MAX_BYTES).encode("a" * 4096 + " " + "a" * 4096)
    assert encoded.tokens.tolist() == [4, 17, 4, 17, 2]
    assert not encoded.truncated


@pytest.mark.parametrize("text", ["a brown dog", "dog " * 200, "x"])
def test_ids_of_a_text_are_taken_as_the_text_is(tokenizer: TextTokenizer, tokenizer_path: Path, text: str) -> None:
    whole = Tokenizer.from_file(str(tokenizer_path))
    whole.no_truncation()
    ids = whole.encode(text).ids
    expected = tokenizer.encode(text)
    for given in (ids, ids[:-1]):
        taken = tokenizer.take(given)
        np.testing.assert_array_equal(taken.tokens, expected.tokens)
        assert taken.tokens.dtype == np.int64
        assert taken.truncated == expected.truncated


def test_a_list_at_the_limit_is_not_cut(tokenizer: TextTokenizer) -> None:
    assert not tokenizer.take([5] * 70).truncated
    assert tokenizer.take([5] * 71).truncated
    assert len(tokenizer.take([5] * 71).tokens) == 71


@pytest.mark.parametrize("wrong", [1, 10**6, 2**31 - 1])
def test_ids_that_no_text_can_have_are_refused(tokenizer: TextTokenizer, wrong: int) -> None:
    with pytest.raises(InvalidField, match=f"token id {wrong} at 1") as caught:
        tokenizer.take([5, wrong, 5])
    assert caught.value.actual == wrong


@pytest.mark.parametrize(
    ("wrong", "place"), [([0, 5], 0), ([5, 3], 1), ([4, 2, 4], 1), ([4, 2, 2], 1)], ids=["<s>", "<unk>", "end", "ends"]
)
def test_special_ids_that_no_text_becomes_are_refused(tokenizer: TextTokenizer, wrong: list[int], place: int) -> None:
    with pytest.raises(InvalidField, match=f"token id {wrong[place]} at {place} "):
        tokenizer.take(wrong)


def test_every_character_and_every_merge_may_be_given(tokenizer: TextTokenizer, tokenizer_path: Path) -> None:
    size = Tokenizer.from_file(str(tokenizer_path)).get_vocab_size()
    assert tokenizer.take(list(range(4, size))).truncated


def test_more_ids_than_a_text_may_have_bytes_are_refused(tokenizer: TextTokenizer) -> None:
    tokenizer.take([5] * MAX_BYTES)
    with pytest.raises(InvalidText) as caught:
        tokenizer.take([5] * (MAX_BYTES + 1))
    assert (caught.value.limit, caught.value.actual) == (MAX_BYTES, MAX_BYTES + 1)
