"""The client's key, at a real service that wants one, over both protocols, sync and async."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from onepeace_client import (
    AsyncClient,
    Client,
    Forbidden,
    OnePeaceError,
    Options,
    RateLimited,
    RequestRefused,
    RetryPolicy,
    Unauthenticated,
)
from service.bulk.errors import EngineGone, OptionError
from service.bulk.remote import RemoteEmbedder
from tests.repository import REPOSITORY
from tests.service.access.known_keys import table, token_of, write_keys
from tests.service.live_server import LiveServer, live_server

ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    rate = "requests = { per_second = 0.5, burst = 1 }"
    tables = (table("embed", "e"), table("slow", "s", more=rate), table("once", "o", more=rate))
    path = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml", *tables)
    with live_server(REPOSITORY, api_keys_file=path) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, guarded: LiveServer) -> str:
    return guarded.url if request.param == "http" else f"grpc://{guarded.grpc_address}"


def options(letter: str | None, retries: RetryPolicy = ONCE) -> Options:
    return Options(api_key=token_of(letter) if letter else None, retries=retries)


async def embed(url: str, wanted: Options, is_async: bool) -> tuple[int, ...]:
    if is_async:
        async with AsyncClient(url, wanted) as client:
            return (await client.embed(["a cow"])).vectors.shape
    with Client(url, wanted) as client:
        return client.embed(["a cow"]).vectors.shape


async def classify(url: str, wanted: Options, is_async: bool) -> None:
    if is_async:
        async with AsyncClient(url, wanted) as client:
            await client.classify("a cow", ["cow"])
    else:
        with Client(url, wanted) as client:
            client.classify("a cow", ["cow"])


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_key_opens_the_service_and_its_lack_is_an_error_of_its_own(url: str, is_async: bool) -> None:
    assert await embed(url, options("e"), is_async) == (1, 128)
    for letter in (None, "x"):
        with pytest.raises(Unauthenticated) as caught:
            await embed(url, options(letter), is_async)
        assert isinstance(caught.value, RequestRefused)
        assert (caught.value.code, caught.value.status) == ("unauthenticated", 401)
        assert caught.value.request_id


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_missing_scope_is_an_error_of_its_own(url: str, is_async: bool) -> None:
    with pytest.raises(Forbidden, match="lacks the scope 'classify'") as caught:
        await classify(url, options("e"), is_async)
    assert (caught.value.code, caught.value.status) == ("forbidden", 403)


def test_a_used_up_rate_is_waited_for(url: str, guarded: LiveServer) -> None:
    letter = "s" if url.startswith("http") else "o"
    with Client(url, options(letter)) as client:
        client.info()
        with pytest.raises(RateLimited) as caught:
            client.info()
        assert caught.value.retry_after_s == 2
    with Client(url, options(letter, RetryPolicy(attempts=5))) as client:
        for _ in range(2):
            assert client.info().model == "one-peace"


def test_long_lists_need_no_other_scope(url: str) -> None:
    """Calls are split by the limits of /info, which every key may read."""
    with Client(url, options("e")) as client:
        assert client.embed([f"cow {place}" for place in range(600)]).vectors.shape == (600, 128)


def test_the_key_is_shown_nowhere(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = token_of("x")
    wanted = options("x")
    with Client(url, wanted) as client, pytest.raises(OnePeaceError) as caught:
        client.embed(["a cow"])
    for text in (repr(wanted), repr(client), str(caught.value), repr(caught.value), caplog.text):
        assert secret not in text


@pytest.mark.parametrize("key", ["", "a b", "op_ä", "op_\n", "op_\r\nx-evil: 1", "\0"])
def test_what_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="api_key must be one word") as caught:
        Options(api_key=key)
    assert len(str(caught.value)) < 80


def test_a_header_of_ones_own_wins(guarded: LiveServer) -> None:
    given = {"Authorization": f"Bearer {token_of('e')}"}
    with Client(guarded.url, Options(api_key=token_of("x"), headers=given)) as client:
        assert client.info().model == "one-peace"


async def test_bulk_embedding_sends_the_key(url: str) -> None:
    embedder = RemoteEmbedder(url, token_of("e"))
    try:
        assert (await embedder.start()).model == "one-peace"
    finally:
        await embedder.close()
    stranger = RemoteEmbedder(url, None)
    try:
        with pytest.raises(EngineGone, match="needs a key"):
            await stranger.start()
    finally:
        await stranger.close()
    with pytest.raises(OptionError, match="ONEPEACE_API_KEY"):
        RemoteEmbedder(url, "no key")
