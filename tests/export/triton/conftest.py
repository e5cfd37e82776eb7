"""Two small models, for what would take long with all."""

from __future__ import annotations

import shutil

import pytest

from tests.repository import REPOSITORY


@pytest.fixture(scope="session")
def two_models(tmp_path_factory):
    """A repository of `text` and `image`. Read only."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("text", "image"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder
