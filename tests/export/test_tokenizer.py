import json
import random
import shutil
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from tokenizers import Tokenizer, normalizers

from export.tokenizer import build_tokenizer
from export.vocabulary import TokenizerError
from tests.golden import GOLDEN, VOCABULARY, needs_golden
from tests.reference.slow_bpe import PRE_TOKEN, SlowBpe
from training.data.vocabulary import write_vocabulary

PIECES = [
    *["Σ", "ΑΣ", "ς", "σ", "ΟΔΟΣ", "Σ'", "Α'Σ", "ΆΣ", "Σ́Α", "ʰΣ", "Σ.", "\xadΣ", "İ", "İ", "ı"],
    *["'s", "'S", "'t", "'T", "'re", "'RE", "'ve", "'Ve", "'m", "'M", "'ll", "'LL", "'d", "'D", "'", "''", "’s"],
    *["<s>", "</s>", "<pad>", "<unk>", "<|endoftext|>", "madeupword0000", "<mask>", "[CLS]", "Ġ", "Ċ", "#version:"],
    *[" ", "  ", "   ", "\t", "\n", "\r\n", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\u200b", "\u2003", "\u2028"],
    *["\u3000", "\ufeff", "\x00", "\x01", "\x7f", "\x80", "\u200d", "\u202e", "\ufffd", "\uffff", "\U0010ffff"],
    *["👍", "👩\u200d👩\u200d👧", "🇫🇷", "☃️", "é", "́", "ﬁ", "ß", "ẞ", "Ǆ", "ǅ", "K", "Å", "𝔄", "𐐀"],
    *[
        "日本語",
        "한국어",
        "العربية",
        "हिन्दी",
        "ไทย",
        "Ελλάδα",
        "РУССКИЙ",
        "ᎠᏂ",
        "ꭰ",
        "Ⅷ",
        "²",
        "½",
        "٣",
        "१२",
        "1",
        "42",
    ],
    *[
        "the",
        "A",
        "dog",
        "Running",
        "photo",
        "of",
        ",",
        ".",
        "...",
        "!?",
        "-",
        "_",
        "@",
        "\\",
        '"',
        "{",
        "http://a.b/c?d=e",
    ],
]


@cache
def _characters() -> list[str]:
    """All characters, without the capital letters that are too young for this Python and not for the library."""
    library = normalizers.Lowercase()
    everything = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    young = {c for c in everything if unicodedata.category(c) == "Cn" and library.normalize_str(c) != c}
    return [character for character in everything if character not in young]


def _random_text(rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:  # any characters at all
        return "".join(rng.choices(_characters(), k=rng.randrange(30)))
    if kind == 1:  # one neighbourhood, so that letters, marks and digits of one script meet
        start = rng.randrange(len(_characters()) - 300 if rng.random() < 0.3 else 9000)
        return "".join(rng.choices(_characters()[start : start + 300], k=rng.randrange(40)))
    if kind == 2:
        return "".join(map(chr, rng.choices(range(128), k=rng.randrange(60))))
    if kind == 3 and rng.random() < 0.1:  # very long runs
        return "".join(rng.choice(PIECES) * rng.randrange(1, 300) for _ in range(2))
    return rng.choice(["", " "]).join(rng.choices(PIECES, k=rng.randrange(25)))


@pytest.fixture(scope="module")
def own_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bpe")
    write_vocabulary(folder)
    return folder


@pytest.fixture(scope="module", params=["own", "released"])
def bpe_dir(request: pytest.FixtureRequest, own_dir: Path) -> Path:
    if request.param == "own":
        return own_dir
    if not VOCABULARY.is_dir():
        pytest.skip("the released vocabulary is not here (../shared/bpe)")
    return VOCABULARY


@pytest.fixture(scope="module")
def tokenizer(bpe_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("built") / "tokenizer.json"
    build_tokenizer(bpe_dir).save(str(path))
    return Tokenizer.from_file(str(path))


@pytest.fixture
def copied_dir(own_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(own_dir, tmp_path / "bpe"))


@needs_golden
def test_golden_texts_have_the_reference_ids() -> None:
    tokenizer = build_tokenizer(VOCABULARY)
    rows = json.loads((GOLDEN / "end_to_end.json").read_text("utf-8"))["text"]
    assert rows
    assert [tokenizer.encode(row["text"]).ids for row in rows] == [row["tokens"] for row in rows]


def test_random_texts_have_the_ids_of_the_slow_implementation(tokenizer: Tokenizer, bpe_dir: Path) -> None:
    slow, rng = SlowBpe(bpe_dir), random.Random(20250601)
    for _ in range(10_000):
        text = _random_text(rng)
        encoding = tokenizer.encode(text)
        tokens, truncated = slow.tokens(text)
        assert encoding.ids == tokens, ascii(text)
        assert (len(encoding.ids) == 71 and bool(encoding.overflowing)) == truncated, ascii(text)


def test_every_character_is_lower_cased_like_python(own_dir: Path) -> None:
    normalize = build_tokenizer(own_dir).normalizer.normalize_str
    for character in _characters():
        assert normalize(character) == " " + character.lower(), ascii(character)


def test_final_sigma_is_python_s_with_every_character_before_and_behind(own_dir: Path) -> None:
    normalize = build_tokenizer(own_dir).normalizer.normalize_str
    for character in _characters():
        text = f"1{character}Σ aΣ{character}1 a{character}Σ{character}a"
        assert normalize(text) == " " + text.lower(), ascii(text)


def test_every_character_is_classed_like_the_regex_module(own_dir: Path) -> None:
    pre_tokenizer = build_tokenizer(own_dir).pre_tokenizer
    for chunk in range(0, len(_characters()), 5000):
        characters = _characters()[chunk : chunk + 5000]
        text = "".join(f"a{character}1{character}\n" for character in characters)
        pieces = [text[start:end] for _, (start, end) in pre_tokenizer.pre_tokenize_str(text)]
        assert pieces == PRE_TOKEN.findall(text), ascii(characters[0])


def test_special_tokens_in_a_text_are_plain_text(tokenizer: Tokenizer) -> None:
    assert not {0, 1, 2, 3} & set(tokenizer.encode("</s><pad> <s><unk>").ids[:-1])


def test_empty_text_is_one_space(tokenizer: Tokenizer) -> None:
    space = tokenizer.token_to_id("Ġ")
    assert tokenizer.encode("").ids == [space, 2]
    assert [row.ids for row in tokenizer.encode_batch(["", "a"])] == [[space, 2], tokenizer.encode("a").ids]


def test_text_of_exactly_the_limit_is_not_truncated(tokenizer: Tokenizer) -> None:
    for words, truncated in ((70, False), (71, True)):
        encoding = tokenizer.encode(" ".join(["a"] * words))
        assert len(encoding.ids) == 71
        assert encoding.ids[-1] == 2
        assert bool(encoding.overflowing) == truncated


def test_other_limits_are_kept(own_dir: Path) -> None:
    assert len(build_tokenizer(own_dir, max_ids=5).encode("a b c d e f g h").ids) == 6


def test_own_vocabulary_is_the_same_each_time(own_dir: Path, tmp_path: Path) -> None:
    size = write_vocabulary(tmp_path)
    assert size % 8 == 0
    for name in ("encoder.json", "vocab.bpe", "dict.txt"):
        assert (tmp_path / name).read_bytes() == (own_dir / name).read_bytes()


@pytest.mark.parametrize("name", ["encoder.json", "vocab.bpe", "dict.txt"])
def test_missing_or_binary_file_is_named(copied_dir: Path, name: str) -> None:
    (copied_dir / name).write_bytes(b"\xff\xfe")
    with pytest.raises(TokenizerError, match=name):
        build_tokenizer(copied_dir)
    (copied_dir / name).unlink()
    with pytest.raises(TokenizerError, match=name):
        build_tokenizer(copied_dir)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("encoder.json", '{"a": 1', "not JSON"),
        ("encoder.json", '["a"]', "must map strings to integers"),
        ("encoder.json", '{"a": "1"}', "must map strings to integers"),
        ("encoder.json", '{"a": 1, "b": 1}', "two strings have the same id"),
        ("encoder.json", '{"a": 1}', "encoder.json lacks"),
        ("vocab.bpe", "#version: 0.2\na\n", "line 2"),
        ("vocab.bpe", "#version: 0.2\nab c\n", "exist by then"),
        ("vocab.bpe", "#version: 0.2\na b\na b\n", "second time"),
        ("dict.txt", "12\n", "a word and a count"),
        ("dict.txt", "12 x\n", "a word and a count"),
        ("dict.txt", "12 1\n12 1\n", "second time"),
        ("dict.txt", "12 1\n", "lacks the BPE id"),
    ],
)
def test_broken_files_are_refused(copied_dir: Path, name: str, content: str, message: str) -> None:
    (copied_dir / name).write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match=message):
        build_tokenizer(copied_dir)
