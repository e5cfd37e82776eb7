"""Whether the font that pictures are made of is installed."""

import pytest

from training.data.pictures.glyphs import FontMissingError, font_file

try:
    font_file()
    _missing = ""
except FontMissingError as error:
    _missing = str(error)

needs_font = pytest.mark.skipif(bool(_missing), reason=_missing or "the font is installed")
