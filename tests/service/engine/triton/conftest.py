"""The model `text`, a server for it, and names whose addresses a test decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.engine.triton import engine as engine_module
from service.repository import ModelFolder, read_repository
from tests.repository import REPOSITORY
from tests.service.engine.triton.fake_triton import FakeTriton

NamesGive = Callable[[str], set[str]]


@pytest.fixture(scope="module")
def models() -> dict[str, ModelFolder]:
    return {"text": read_repository(REPOSITORY)["text"]}


@pytest.fixture
def fake(models: dict[str, ModelFolder]) -> FakeTriton:
    return FakeTriton(models)


@pytest.fixture
def names_give(monkeypatch: pytest.MonkeyPatch) -> NamesGive:
    """Every name has the addresses of the set that this gives, looked up 20 times a second."""

    def give(address: str) -> set[str]:
        addresses = {address}

        async def resolve(place: object) -> set[str]:
            return set(addresses)

        monkeypatch.setattr(engine_module, "resolve", resolve)
        monkeypatch.setattr(engine_module, "RESOLVE_S", 0.05)
        return addresses

    return give
