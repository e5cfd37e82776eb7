"""Models here are tiny: more threads than one only wait for each other, on a busy machine for minutes."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
