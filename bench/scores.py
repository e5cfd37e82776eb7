"""How well scores tell what is there from what is not, through a running server: `python -m bench.scores CORPUS`.

A threshold is chosen on the validation split, to be right as often on what is there as on what is not, and tried on
the test split. Cosines: every picture or sound against every name. Boxes: each phrase that names a thing, and as many
names of things that no phrase of the picture names (some of them may be in it all the same).
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path

import httpx
import numpy as np

BATCH = 32
SCENES = 400
TEMPLATES = {"pictures": "a photo of a {}", "sounds": "This is a sound of {}", "speech": "somebody says {}"}
Scores = tuple[np.ndarray, np.ndarray]


def rows_of(table: Path) -> list[list[str]]:
    """The lines of a table of the corpus, split at tabs."""
    return [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]


def cosines(client: httpx.Client, split: Path, name: str) -> Scores:
    """Cosines of files with the names that they show, and with all others."""
    rows = rows_of(split / f"{name}.tsv")
    names = sorted({row[3] for row in rows})
    kind = "image" if name == "pictures" else "audio"
    there, not_there = [], []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        form = [(f"query_{kind}", ("file", (split / row[1]).read_bytes())) for row in some]
        form += [("candidate_text", (None, TEMPLATES[name].replace("{}", label).encode())) for label in names]
        matrix = np.array(client.post("/similarity", files=form).raise_for_status().json()["similarity"])
        shown = np.array([[row[3] == label for label in names] for row in some])
        there.append(matrix[shown])
        not_there.append(matrix[~shown])
    return np.concatenate(there), np.concatenate(not_there)


def boxes(client: httpx.Client, split: Path) -> Scores:
    """Scores of boxes for phrases whose thing is there, and for names of things that no phrase names."""
    chance = random.Random(0)
    names = {row[3] for row in rows_of(split / "pictures.tsv")}
    phrases: dict[str, list[str]] = defaultdict(list)
    for row in rows_of(split / "scenes.tsv"):
        phrases[row[1]].append(row[2])
    there: list[float] = []
    not_there: list[float] = []
    for path, said in list(phrases.items())[:SCENES]:
        words = " ".join(said).split()
        good = [phrase for phrase in said if names.intersection(phrase.split())]
        if not good:
            continue
        bad = [f"the {name}" for name in chance.sample(sorted(names.difference(words)), len(good))]
        form = [("image", ("file", (split / path).read_bytes())), ("scores", (None, b"true"))]
        form += [("phrase", (None, phrase.encode())) for phrase in good + bad]
        found = [box["score"] for box in client.post("/ground", files=form).raise_for_status().json()["boxes"]]
        there += found[: len(good)]
        not_there += found[len(good) :]
    return np.array(there), np.array(not_there)


def right(scores: Scores, threshold: float) -> float:
    """Mean of the share of what is there above the threshold and of what is not below."""
    return float(((scores[0] >= threshold).mean() + (scores[1] < threshold).mean()) / 2)


def main() -> None:
    """Ask the server and print one line for each kind of score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder that `python -m training.data` wrote")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    with httpx.Client(base_url=options.server, timeout=120) as client:
        for name in (*TEMPLATES, "boxes"):
            chosen, tried = (
                boxes(client, options.corpus / split)
                if name == "boxes"
                else cosines(client, options.corpus / split, name)
                for split in ("validation", "test")
            )
            threshold = max(np.arange(-0.2, 0.8, 0.01), key=lambda cut: right(chosen, cut))
            print(f"{name:9} threshold {threshold:.2f}  right on the test split {right(tried, threshold):.3f}")


if __name__ == "__main__":
    main()
