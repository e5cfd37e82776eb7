"""The small model's own vocabulary, trained from `words.txt` and written in the released format.

`encoder.json` maps BPE strings to BPE ids, `vocab.bpe` lists the merges, `dict.txt` holds `<BPE id> <count>` lines,
the most frequent first, and ends with filler words that make the vocabulary's size a multiple of 8.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, models, trainers

from export.tokenizer import text_normalizer, text_pre_tokenizer
from export.vocabulary import DICTIONARY_FILE, ENCODER_FILE, MERGES_FILE, SPECIALS, byte_characters

WORDS_FILE = Path(__file__).with_name("words.txt")
SIZE_MULTIPLE = 8


def write_vocabulary(bpe_dir: Path, merges: int = 3000) -> int:
    """Train up to `merges` merges on `words.txt` and write the three files into `bpe_dir`.

    Returns:
        Number of ids, the specials included: rows of the checkpoint's `embed_tokens`.
    """
    lines = WORDS_FILE.read_text(encoding="utf-8").splitlines()
    tokenizer = _train(lines, merges)
    trained = json.loads(tokenizer.to_str())["model"]
    tokens = [*byte_characters(), *(left + right for left, right in trained["merges"])]
    bpe_ids = {token: index for index, token in enumerate(tokens)}
    counts = Counter(token for line in lines for token in tokenizer.encode(line).tokens)

    bpe_dir.mkdir(parents=True, exist_ok=True)
    (bpe_dir / ENCODER_FILE).write_text(json.dumps(bpe_ids), encoding="utf-8")
    merge_lines = ["#version: 0.2", *(f"{left} {right}" for left, right in trained["merges"])]
    (bpe_dir / MERGES_FILE).write_text("\n".join(merge_lines) + "\n", encoding="utf-8")
    by_count = sorted(tokens, key=lambda token: (-counts[token], bpe_ids[token]))
    dictionary = [f"{bpe_ids[token]} {counts[token]}" for token in by_count]
    fillers = -(len(SPECIALS) + len(dictionary)) % SIZE_MULTIPLE
    dictionary += [f"madeupword{index:04d} 0" for index in range(fillers)]
    (bpe_dir / DICTIONARY_FILE).write_text("\n".join(dictionary) + "\n", encoding="utf-8")
    return len(SPECIALS) + len(dictionary)


def _train(lines: list[str], merges: int) -> Tokenizer:
    """BPE over the same pre-tokens as at inference, all 256 bytes included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer = text_normalizer(), text_pre_tokenizer()
    alphabet = byte_characters()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + merges, min_frequency=1, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer
