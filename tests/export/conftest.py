"""One export of each kind, made once and read by many tests; TensorRT's stand-in."""

from __future__ import annotations

import json
import sys

import pytest

from export.exporter import ExportRequest, export_repository
from export.one_peace.random_checkpoint import random_config, write_random_checkpoint
from export.tensorrt import plan_shop
from tests.export.exported import write_bytes_vocabulary
from tests.export.random_models import CLASSIFY_CONFIGS, quick
from tests.export.tensorrt import stand_in


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A folder with a vocabulary, a checkpoint for each role, and names for their classes."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "bpe").mkdir()
    write_bytes_vocabulary(folder / "bpe")
    write_random_checkpoint(folder / "checkpoint.pt", quick(random_config()))
    for role, config in CLASSIFY_CONFIGS.items():
        write_random_checkpoint(folder / f"{role}.pt", quick(config))
    (folder / "labels.json").write_text(json.dumps({str(i): f"sound {i}" for i in range(11)}))
    (folder / "answers.txt").write_text("".join(f"answer {i}\n" for i in range(14)))
    return folder


@pytest.fixture(scope="session")
def repository(workshop):
    """All eight models in float32, verified."""
    roles = ("checkpoint", *CLASSIFY_CONFIGS)
    request = ExportRequest(
        workshop / "bpe",
        workshop / "repository",
        {role: workshop / f"{role}.pt" for role in roles},
        {"audio_labels": workshop / "labels.json", "vqa": workshop / "answers.txt"},
    )
    verdicts = export_repository(request)
    assert [verdict.model for verdict in verdicts if not verdict.passed] == []
    return workshop / "repository"


@pytest.fixture
def tensorrt(monkeypatch):
    """TensorRT and a GPU, as far as the export can tell."""
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in)
    monkeypatch.setattr(plan_shop, "Device", stand_in.Device)
    monkeypatch.setattr(stand_in.Builder, "configs", [])
    return stand_in


@pytest.fixture
def no_tensorrt(monkeypatch):
    """A machine without the package, whatever is installed here."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
