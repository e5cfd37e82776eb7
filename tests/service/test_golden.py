"""From raw files to the reference's own vectors: checkpoint, export, server, socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.golden import GOLDEN, needs_golden
from tests.service.live_server import live_server

pytestmark = needs_golden
MIN_COSINE = 0.9999


@pytest.fixture(scope="module")
def golden_client(golden_retrieval: Path) -> Iterator[httpx.Client]:
    with live_server(golden_retrieval) as server, httpx.Client(base_url=server.url, timeout=60.0) as client:
        yield client


def expected() -> dict[str, list[dict[str, object]]]:
    content: dict[str, list[dict[str, object]]] = json.loads((GOLDEN / "end_to_end.json").read_text())
    return content


def check(answer: httpx.Response, entries: list[dict[str, object]], names: list[str]) -> None:
    assert answer.status_code == 200, answer.text[:500]
    for datum, entry, name in zip(answer.json()["data"], entries, names, strict=True):
        cosine = float(np.dot(datum["embedding"], entry["embedding"]) / np.linalg.norm(entry["embedding"]))
        assert cosine >= MIN_COSINE, f"{name}: {cosine}"


def test_every_text_gives_the_references_vector(golden_client: httpx.Client) -> None:
    entries = expected()["text"]
    answer = golden_client.post("/embed", json={"inputs": [{"text": entry["text"]} for entry in entries]})
    check(answer, entries, [repr(entry["text"])[:40] for entry in entries])
    counts = [datum["input"]["tokens"] for datum in answer.json()["data"]]
    assert counts == [len(entry["tokens"]) - 1 for entry in entries]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_every_file_gives_the_references_vector(golden_client: httpx.Client, kind: str) -> None:
    entries = expected()[kind]
    names = [str(entry["file"]) for entry in entries]
    files = [(kind, (name, (GOLDEN / "media" / name).read_bytes())) for name in names]
    check(golden_client.post("/embed", files=files), entries, names)
