"""The table of codes is the server's, and each code arrives as its class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onepeace_client import (
    AsyncClient,
    Client,
    ClientClosed,
    InvalidInput,
    OnePeaceError,
    Options,
    RequestRefused,
    RetryPolicy,
    Unavailable,
    UnknownFile,
)
from onepeace_client.errors import BY_CODE, error_class
from service import errors as server_errors
from tests.client.scripted_server import Answer, always, give_vectors, problem, scripted_server


def server_codes(base: type[server_errors.ServiceError] = server_errors.ServiceError) -> Iterator[tuple[str, int]]:
    yield base.code, base.status
    for child in base.__subclasses__():
        yield from server_codes(child)


CODES = dict(server_codes())


def test_every_code_of_the_server_has_its_class_and_status_and_no_other_is_known() -> None:
    assert {code: status for code, (_, status) in BY_CODE.items()} == CODES


def test_what_the_server_calls_an_input_error_is_one_here() -> None:
    inputs = dict(server_codes(server_errors.InputError))
    assert {code for code, (kind, _) in BY_CODE.items() if kind is InvalidInput} == {*inputs, "invalid_request"}


@pytest.mark.parametrize("code", CODES)
def test_each_code_arrives_as_its_class(code: str) -> None:
    options = Options(retries=RetryPolicy(attempts=1))
    entry = {"pointer": "/inputs/0/text", "code": code, "detail": "too long", "limit": 1, "actual": 2.5}
    answer = problem(CODES[code], code, [entry])
    with scripted_server(always(answer)) as server, Client(server.url, options) as client:
        with pytest.raises(OnePeaceError) as caught:
            client.embed(["a"])
        assert len(server.posts) == 1
    error = caught.value
    assert type(error) is BY_CODE[code][0]
    assert (error.code, error.status, error.request_id) == (code, CODES[code], "r1")
    (found,) = error.errors
    assert (found.index, found.limit, found.actual) == (0, 1, 2.5)
    assert "/inputs/0/text: too long" in str(error)


@pytest.mark.parametrize(
    ("status", "kind"), [(502, Unavailable), (503, Unavailable), (403, RequestRefused), (418, RequestRefused)]
)
def test_a_proxys_page_counts_by_its_status(status: int, kind: type[OnePeaceError]) -> None:
    options = Options(retries=RetryPolicy(attempts=1))
    answer = Answer(status, b"<html>oh</html>")
    with scripted_server(always(answer)) as server, Client(server.url, options) as client:
        with pytest.raises(kind, match="oh") as caught:
            client.embed(["a"])
        assert len(server.posts) == 1
    assert caught.value.status == status


def test_a_code_of_a_newer_server_counts_by_its_status() -> None:
    assert error_class("new_code", 422) is InvalidInput
    assert error_class("new_code", 501).default_code == "internal_error"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "grpc://127.0.0.1:1"])
async def test_a_closed_client_says_so(url: str) -> None:
    client, async_client = Client(url), AsyncClient(url)
    client.close()
    await async_client.close()
    with pytest.raises(ClientClosed):
        client.embed(["a"])
    with pytest.raises(ClientClosed):
        next(client.embed_stream(["a"]))
    with pytest.raises(ClientClosed):
        await async_client.embed(["a"])
    with pytest.raises(ClientClosed):
        await anext(async_client.embed_stream(["a"]))


def test_a_file_that_is_not_there_or_unknown_is_said_by_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0\1")
    with scripted_server(give_vectors) as server, Client(server.url) as client:
        with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg"):
            client.embed(["a", tmp_path / "nowhere.jpg"])
        with pytest.raises(UnknownFile, match=r"items\[1\]: a\.bin"):
            client.embed(["a", tmp_path / "a.bin"])
