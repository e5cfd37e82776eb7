"""What the small encodings lose, on the test split, through a running server: `python -m bench.encodings CORPUS`.

Queries are the split's sounds, candidates its pictures. For each encoding: the share of float's ten nearest that it
finds again, and the share of queries whose nearest picture shows what they sound like.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import httpx
import numpy as np

from bench.scores import rows_of

ENCODINGS = ("float", "int8", "binary")
NEAREST = 10
BATCH = 32


def embed(client: httpx.Client, kind: str, table: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Vectors of a table's files by encoding, [N, D] or packed bits, and the files' names of things."""
    rows = rows_of(table)
    found: dict[str, list[np.ndarray]] = {encoding: [] for encoding in ENCODINGS}
    for start in range(0, len(rows), BATCH):
        files = [(kind, ("file", (table.parent / row[1]).read_bytes())) for row in rows[start : start + BATCH]]
        asked = [("encoding", (None, encoding.encode())) for encoding in ENCODINGS]
        answer = client.post("/embed", files=[*files, *asked]).raise_for_status().json()
        for datum in answer["data"]:
            given = datum["embeddings"]
            found["float"].append(np.array(given["float"], dtype=np.float32))
            found["int8"].append(np.frombuffer(base64.b64decode(given["int8"]), np.int8))
            found["binary"].append(np.frombuffer(base64.b64decode(given["binary"]), np.uint8))
    return {name: np.stack(vectors) for name, vectors in found.items()}, np.array([row[3] for row in rows])


def scores(encoding: str, queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Higher is nearer: cosines, or for bits the negative Hamming distance."""
    if encoding == "binary":
        return -np.bitwise_count(queries[:, None] ^ candidates[None]).sum(axis=2).astype(np.float64)
    wide = [side.astype(np.float64) for side in (queries, candidates)]
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in wide)
    return left @ right.T


def main() -> None:
    """Ask the server and print one line for each encoding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder that `python -m training.data` wrote")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    split = options.corpus / "test"
    with httpx.Client(base_url=options.server, timeout=120) as client:
        sounds, heard = embed(client, "audio", split / "sounds.tsv")
        pictures, seen = embed(client, "image", split / "pictures.tsv")
    exact = np.argsort(-scores("float", sounds["float"], pictures["float"]), axis=1, kind="stable")[:, :NEAREST]
    print(f"{len(heard)} sounds, {len(seen)} pictures, {sounds['float'].shape[1]} dimensions")
    for encoding in ENCODINGS:
        order = np.argsort(-scores(encoding, sounds[encoding], pictures[encoding]), axis=1, kind="stable")
        again = np.mean([len(set(mine) & set(best)) for mine, best in zip(order[:, :NEAREST], exact, strict=True)])
        right = np.mean(seen[order[:, 0]] == heard)
        size = sounds[encoding][0].nbytes
        print(f"{encoding:7} {size:5} bytes  recall@{NEAREST} {again / NEAREST:.3f}  nearest is right {right:.3f}")


if __name__ == "__main__":
    main()
