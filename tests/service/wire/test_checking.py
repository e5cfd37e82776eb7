"""What the checks say, and what they let pass."""

from __future__ import annotations

from typing import Any

import pytest

from service.errors import InvalidRequest
from service.wire.checking import check
from service.wire.requests.classify import ClassifyRequest
from service.wire.requests.embed import EmbedRequest
from service.wire.requests.ground import GroundRequest
from service.wire.requests.schema import RequestSchema
from service.wire.requests.similarity import SimilarityRequest

TEXT = {"text": "x"}


def refused(schema: type[RequestSchema], value: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        check(schema, value, strict=True, max_items=9)
    return [(error.pointer, error.detail) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("schema", "value", "options"),
    [
        (GroundRequest, {"image": "AAAA", "phrases": ["x"]}, ["scores"]),
        (EmbedRequest, {"inputs": [TEXT]}, ["encoding", "dimensions", "windows", "on_error"]),
        (SimilarityRequest, {"queries": [TEXT], "candidates": [TEXT]}, ["probabilities"]),
        (ClassifyRequest, {"input": TEXT, "labels": ["x"]}, ["template", "templates", "multi_label", "threshold"]),
    ],
)
def test_null_says_that_an_option_is_left_out(
    schema: type[RequestSchema], value: dict[str, Any], options: list[str]
) -> None:
    with_nulls = value | dict.fromkeys(options)
    assert check(schema, with_nulls, strict=True, max_items=9) == check(schema, value, strict=True, max_items=9)


def test_null_for_what_is_needed_or_unknown_is_refused() -> None:
    wrong = refused(GroundRequest, {"image": "AAAA", "phrases": None, "score": None})
    assert {pointer for pointer, _ in wrong} == {"/phrases", "/score"}


@pytest.mark.parametrize(
    ("schema", "items", "place", "takes_vectors", "takes_parts"),
    [
        (EmbedRequest, {"inputs": [{}]}, "/inputs/0", False, True),
        (EmbedRequest, {"inputs": [{"parts": [{"embedding": [1.0]}]}]}, "/inputs/0/parts/0", False, False),
        (SimilarityRequest, {"queries": [{}], "candidates": [TEXT]}, "/queries/0", True, True),
        (
            SimilarityRequest,
            {"queries": [{"parts": [{"embedding": [1.0]}]}], "candidates": [TEXT]},
            "/queries/0/parts/0",
            False,
            False,
        ),
    ],
)
def test_an_item_of_no_kind_is_told_the_kinds_that_are_taken_there(
    schema: type[RequestSchema], items: dict[str, Any], place: str, takes_vectors: bool, takes_parts: bool
) -> None:
    ((pointer, detail),) = refused(schema, items)
    assert pointer == place
    assert ("embedding" in detail, "parts" in detail) == (takes_vectors, takes_parts)


def test_a_number_beyond_64_bits_is_told_so() -> None:
    """The JSON parser makes a float of it, which pydantic calls no integer."""
    assert refused(EmbedRequest, {"inputs": [TEXT], "dimensions": float(10**30)}) == [
        ("/dimensions", "Input should be an integer, of at most 64 bits")
    ]
