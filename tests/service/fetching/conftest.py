"""One authority and one site for each test of the fetcher."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import trustme

from tests.service.fetching.site import HOST, Site, running_site


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest_asyncio.fixture
async def site(authority: trustme.CA) -> AsyncIterator[Site]:
    async with running_site(HOST, "*.example.net", "other.example.com", authority=authority) as running:
        yield running
