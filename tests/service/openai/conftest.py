"""The official client against the live server."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.service.live_server import LiveServer


@pytest.fixture(scope="session")
def official(server: LiveServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client
