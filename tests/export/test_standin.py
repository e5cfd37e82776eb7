from pathlib import Path

import numpy as np
import pytest
import torch

from export.one_peace.checkpoint import load_checkpoint
from export.standin.checkpoints import LABELS_FILE, StandinFiles, write_checkpoints
from export.tokenizer import build_tokenizer

TEXTS = ["a dog runs across a field", "a yellow taxi in a busy street", "rain on a metal roof", "cow", ""]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> StandinFiles:
    return write_checkpoints(tmp_path_factory.mktemp("standin"))


def _largest_cosine(rows: list[torch.Tensor]) -> float:
    embeddings = torch.cat(rows)
    return float((embeddings @ embeddings.T - 2 * torch.eye(len(embeddings))).max())


@torch.no_grad()
def test_different_inputs_have_different_embeddings(files: StandinFiles) -> None:
    model, tokenizer = load_checkpoint(files.retrieval).embedding_model(), build_tokenizer(files.bpe_dir)
    texts = [model("text", torch.tensor([tokenizer.encode(text).ids])) for text in TEXTS]
    assert _largest_cosine(texts) < 0.95

    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (3, 256, 256), dtype=np.uint8)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 256, 256))
    pictures = [noise, ramp, ramp.swapaxes(1, 2), np.full((3, 256, 256), 200, dtype=np.uint8)]
    assert _largest_cosine([model("image", torch.tensor(picture[None].copy())) for picture in pictures]) < 0.95

    time_s = np.arange(32000) / 16000
    tone, beeps = np.sin(2 * np.pi * 440 * time_s), np.sin(2 * np.pi * 1200 * time_s) * (time_s % 0.5 < 0.25)
    sounds = [rng.normal(size=32000), tone, beeps]
    rows = [torch.tensor(sound / sound.std(), dtype=torch.float32)[None] for sound in sounds]
    assert _largest_cosine([model("audio", row, torch.tensor([[32000]])) for row in rows]) < 0.95


def test_equal_seeds_give_equal_files(files: StandinFiles, tmp_path: Path) -> None:
    again = write_checkpoints(tmp_path)
    for name in ("retrieval", "grounding", "audio_labels"):
        assert getattr(again, name).read_bytes() == getattr(files, name).read_bytes()


def test_heads_fit_their_tasks(files: StandinFiles) -> None:
    grounding, labels = load_checkpoint(files.grounding).config, load_checkpoint(files.audio_labels).config
    assert grounding.head is not None
    assert labels.head is not None
    assert (grounding.head.num_classes, grounding.image.image_size) == (4, 256)
    assert grounding.encoder.dim == labels.encoder.dim == 128
    assert labels.head.num_classes == len(LABELS_FILE.read_text("utf-8").splitlines()) == 20
