"""Key files with keys that a test knows."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def token_of(letter: str) -> str:
    """A key of the right form that nobody would make."""
    return "op_" + letter * 43


def table(name: str, letter: str, scopes: str = '["embed"]', more: str = "") -> str:
    digest = hashlib.sha256(token_of(letter).encode()).hexdigest()
    return f'[keys.{name}]\nsha256 = "{digest}"\nscopes = {scopes}\n{more}\n'


def write_keys(path: Path, *tables: str) -> Path:
    """Put a file in its place at once, as an editor or a deployment does."""
    new = path.with_suffix(".new")
    new.write_text("".join(tables))
    os.replace(new, path)
    return path


def bearer(letter: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(letter)}"}
