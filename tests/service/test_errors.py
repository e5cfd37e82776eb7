"""The error classes and the documents that describe them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service import errors
from service.wire.problem import problem_body

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def subclasses(kind: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


@pytest.mark.parametrize(
    "kind", [errors.ServiceError, *subclasses(errors.ServiceError)], ids=lambda kind: kind.__name__
)
def test_the_tree_and_the_docs_name_every_class(kind: type[errors.ServiceError]) -> None:
    lines = [line for line in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in f"{line} "]
    assert len(lines) >= 1, "not in the tree of errors.py"
    abstract = kind in (errors.RequestError, errors.InputError, errors.Unavailable)
    assert abstract or f"`{kind.code}`" in DOCS.read_text(), "not in docs/api.md"


def test_codes_of_leaves_are_distinct() -> None:
    leaves = [kind for kind in subclasses(errors.ServiceError) if not kind.__subclasses__()]
    assert len({kind.code for kind in leaves}) == len(leaves)


def test_one_wrong_input_gives_its_code_and_several_give_a_common_one() -> None:
    one = errors.InvalidText("bad", limit=3, actual=4, pointer="/inputs/0/text")
    body = problem_body(errors.InvalidRequest([one]), request_id="r", instance="/embed")
    assert body["code"] == "invalid_text"
    assert body["errors"] == [
        {"pointer": "/inputs/0/text", "code": "invalid_text", "detail": "bad", "limit": 3, "actual": 4}
    ]
    body = problem_body(errors.InvalidRequest([one, one]), request_id="r", instance="/embed")
    assert body["code"] == "invalid_request"
    assert len(body["errors"]) == 2
