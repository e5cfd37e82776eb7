"""A query fused here is the one that the server would fuse."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.service.live_server import LiveServer
from tests.service.media_files import clip, encoded
from training.evaluation.server_model import ServerModel
from training.evaluation.tasks.composed import fuse
from training.evaluation.tasks.gathering import embed_texts

LARGEST_DIFFERENCE = 1e-6


@pytest.mark.parametrize("sound_weight", [1.0, 2.0])
def test_a_fused_query_is_the_servers(
    sound_weight: float, server: LiveServer, client: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "sound.wav").write_bytes(clip(1))
    model = ServerModel(server.url)
    texts = embed_texts(model, ["red"], "colours")
    sounds = np.stack(list(model.embed_files("audio", [tmp_path / "sound.wav"])))
    model.close()
    parts = [{"audio": encoded(clip(1))}, {"text": "red"}]
    answer = client.post("/embed", json={"inputs": [{"parts": parts, "weights": [sound_weight, 1.0]}]})
    assert answer.status_code == 200, answer.text
    (datum,) = answer.json()["data"]
    ours = fuse(sounds, texts, sound_weight)
    assert ours.shape == (1, len(datum["embedding"]))
    np.testing.assert_allclose(ours[0], datum["embedding"], rtol=0, atol=LARGEST_DIFFERENCE)
    assert not np.allclose(ours[0], fuse(sounds, texts, sound_weight + 1)[0], rtol=0, atol=LARGEST_DIFFERENCE)
