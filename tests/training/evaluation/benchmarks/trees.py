"""Small trees of files in the benchmarks' own layouts. Readers only look whether a file is there."""

from __future__ import annotations

from pathlib import Path


def write(root: Path, files: dict[str, str]) -> Path:
    """Files by path; an empty text stands for a picture or a sound."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
