"""Where the reference's own outputs lie, when they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
GOLDEN = SHARED / "golden"
GOLDEN_MEDIA = GOLDEN / "media"
VOCABULARY = SHARED / "bpe"

needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the reference's outputs (../shared/golden) are not on this machine"
)
