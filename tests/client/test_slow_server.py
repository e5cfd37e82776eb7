"""A server whose deadline is too short for a full request is asked for less at once."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import numpy as np
import pytest

from onepeace_client import AsyncClient, Client, DeadlineExceeded, Options
from tests.client.scripted_server import INFO, LIMITS, Answer, Script, always, problem, scripted_server

TEXT = re.compile(rb'name="(?:query_|candidate_)?text"\r\n\r\n(.*?)\r\n')
ONE_BY_ONE = Options(concurrency=1)
WIDE = json.dumps(INFO | {"limits": LIMITS | {"max_items": 16}}).encode()


def numbers(body: bytes) -> list[int]:
    return [int(text) for text in TEXT.findall(body)]


def slow(most: int, wrong: int | None = None) -> Script:
    """Embeds the number n as [n, 1], the number `wrong` as an error, and answers 504 to more than `most` at once."""

    def script(number: int, body: bytes) -> Answer:
        asked = numbers(body)
        if len(asked) > most or b'name="query' in body:
            return problem(504, "deadline_exceeded")
        error = {"pointer": "", "code": "invalid_text", "detail": "wrong"}
        data = [
            {"index": index, "embedding": [float(value), 1.0], "input": {}}
            if value != wrong
            else {"index": index, "error": error | {"pointer": f"/inputs/{index}/text"}}
            for index, value in enumerate(asked)
        ]
        return Answer(200, json.dumps({"model": "m", "fingerprint": "f", "dimensions": 2, "data": data}).encode())

    return script


def texts(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def recorded(script: Script, sizes: list[int]) -> Script:
    def record(number: int, body: bytes) -> Answer:
        sizes.append(len(numbers(body)))
        return script(number, body)

    return record


async def test_the_items_are_asked_again_in_halves_and_keep_their_order() -> None:
    with scripted_server(slow(1)) as server:
        with Client(server.url) as client:
            sync = await asyncio.to_thread(client.embed, texts(11))
        async with AsyncClient(server.url) as concurrent:
            answer = await concurrent.embed(texts(11))
    for vectors in (sync.vectors, answer.vectors):
        assert vectors[:, 0].tolist() == list(range(11))


def test_later_requests_of_the_client_are_smaller() -> None:
    sizes: list[int] = []
    with scripted_server(recorded(slow(5), sizes), WIDE) as server, Client(server.url, ONE_BY_ONE) as client:
        client.embed(texts(16))
        assert sizes == [16, 8, 4, 4, 4, 4]
        client.embed(texts(9))
        assert sizes[6:] == [4, 4, 1]


def test_limits_asked_anew_let_more_be_tried() -> None:
    sizes: list[int] = []
    with scripted_server(recorded(slow(8), sizes), WIDE) as server, Client(server.url, ONE_BY_ONE) as client:
        client.embed(texts(16))
        client.info()
        sizes.clear()
        client.embed(texts(16))
        assert sizes == [16, 8, 8]


def test_errors_keep_the_places_of_the_callers_list(tmp_path: Path) -> None:
    items = [*texts(6), tmp_path / "missing.png", "6", "7"]
    with scripted_server(slow(1, wrong=7)) as server, Client(server.url) as client:
        answer = client.embed(items, on_error="report")
    assert {index: (problem.pointer, problem.code) for index, problem in answer.errors.items()} == {
        6: ("/inputs/6", "unreadable_file"),
        8: ("/inputs/8/text", "invalid_text"),
    }
    assert np.isnan(answer.vectors).all(axis=1).tolist() == [False] * 6 + [True, False, True]


def test_one_item_that_takes_too_long_is_an_error() -> None:
    sizes: list[int] = []
    with (
        scripted_server(recorded(slow(0), sizes)) as server,
        Client(server.url, ONE_BY_ONE) as client,
        pytest.raises(DeadlineExceeded),
    ):
        client.embed(texts(4))
    assert sizes == [4, 2, 1]


def test_the_calls_own_deadline_divides_nothing() -> None:
    with scripted_server(always(Answer(200, b"{}", after_s=0.5))) as server, Client(server.url) as client:
        with pytest.raises(DeadlineExceeded):
            client.embed(["0", "1"], deadline_s=0.2)
        assert len(server.posts) == 1


def test_a_comparison_is_put_together_from_vectors() -> None:
    sizes: list[int] = []
    with scripted_server(recorded(slow(2), sizes)) as server, Client(server.url, ONE_BY_ONE) as client:
        answer = client.similarity(["0"], ["0", "1"])
        assert answer.similarity.tolist() == [[1.0, 1.0]]
        client.similarity(["0"], ["0", "1"])
    assert sizes[0] == 3
    assert max(sizes[1:]) < 3
