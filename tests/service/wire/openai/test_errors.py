"""OpenAI's words for errors and places."""

from __future__ import annotations

import pytest

from service import errors
from service.wire.openai.errors import openai_error_body, openai_status, param
from service.wire.openai.translation import Places


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("", ""),
        ("/model", "model"),
        ("/input/3", "input[3]"),
        ("/input/3/content/1/image_url/url", "input[3].content[1].image_url.url"),
        ("/a~1b/~01", "a/b.~1"),
    ],
)
def test_a_pointer_becomes_a_place(pointer: str, place: str) -> None:
    assert param(pointer) == place


@pytest.mark.parametrize("status", [400, 404, 408, 413, 429, 500, 503, 504])
def test_only_422_has_another_status(status: int) -> None:
    assert openai_status(status) == status
    assert openai_status(422) == 400


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.QueueFull("full"), "rate_limit_error"),
        (errors.DeadlineExceeded("late"), "server_error"),
        (errors.ServiceError("something went wrong here"), "server_error"),
        (errors.BodyTooLarge("big"), "invalid_request_error"),
        (errors.InvalidRequest([errors.InvalidText("bad")]), "invalid_request_error"),
    ],
)
def test_types_follow_the_status(error: errors.ServiceError, kind: str) -> None:
    assert openai_error_body(error)["error"]["type"] == kind


def test_numbers_that_the_detail_does_not_say_are_added() -> None:
    said = openai_error_body(errors.QueueFull("the queue is full", limit=8, actual=7))["error"]["message"]
    assert said == "the queue is full (limit 8, actual 7)"
    said = openai_error_body(errors.BodyTooLarge("more than 8 bytes", limit=8))["error"]["message"]
    assert said == "more than 8 bytes"


def test_only_the_first_of_many_wrong_inputs_are_named() -> None:
    wrong: list[errors.InputError] = [errors.InvalidText("bad", pointer=f"/input/{i}") for i in range(30)]
    said = openai_error_body(errors.InvalidRequest(wrong))["error"]["message"]
    assert said.startswith("30 things are wrong: input[0]: bad; ")
    assert "input[7]" in said
    assert "input[8]" not in said
    assert said.endswith("; and 22 more")


def test_the_longest_known_head_of_a_pointer_is_replaced() -> None:
    places = Places()
    places.known |= {"/inputs/1": "/input/1", "/inputs/1/parts/0/image": "/input/1/content/0/image_url/url"}
    assert places.origin("/inputs/1/parts/0/image") == "/input/1/content/0/image_url/url"
    assert places.origin("/inputs/1/parts") == "/input/1/parts"
    assert places.origin("/inputs") == "/input"
    assert places.origin("/inputs/12") == "/input/12"
    assert places.origin("/dimensions") == "/dimensions"
    assert places.origin("") == ""
