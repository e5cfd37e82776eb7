"""Errors of forms name the fields that the caller wrote."""

from __future__ import annotations

from typing import Any

import pytest

from service.errors import InvalidRequest
from service.routes.classify import FORM
from service.routes.embed import FORM as EMBED_FORM
from service.wire.checking import check
from service.wire.form import arrange, name_missing
from service.wire.multipart import FormField
from service.wire.requests.classify import ClassifyRequest
from service.wire.requests.embed import EmbedRequest


def arranged(*fields: tuple[str, bytes]) -> dict[str, Any]:
    return arrange([FormField(*field) for field in fields], FORM)


def refused(*fields: tuple[str, bytes]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        arranged(*fields)
    return [(error.pointer, error.detail) for error in caught.value.errors]


def test_two_items_where_one_is_taken_are_refused_by_their_own_names() -> None:
    ((pointer, detail),) = refused(("image", b"x"), ("image", b"y"), ("label", b"a"))
    assert pointer == "/image"
    assert "'image' and 'audio'" in detail
    assert "'input'" not in detail


def test_an_option_that_stands_twice_is_named() -> None:
    assert refused(("image", b"x"), ("label", b"a"), ("threshold", b"0"), ("threshold", b"0")) == [
        ("/threshold", "'threshold' may stand only once")
    ]


def test_what_is_missing_is_named_as_the_form_has_it() -> None:
    value = arranged(("multi_label", b"perhaps"))
    with pytest.raises(InvalidRequest) as caught:
        check(ClassifyRequest, value, strict=False, max_items=9)
    found = {error.pointer: error.detail for error in name_missing(caught.value, value, FORM).errors}
    assert found["/label"] == "a field is missing: 'label'"
    assert "'image' or 'audio'" in found["/input"]
    assert "/multi_label" in found  # what else is wrong is named, too


def test_a_value_that_is_wrong_keeps_its_place() -> None:
    value = arrange([FormField("text", b"x"), FormField("dimensions", b"0")], EMBED_FORM)
    with pytest.raises(InvalidRequest) as caught:
        check(EmbedRequest, value, strict=False, max_items=9)
    assert [error.pointer for error in name_missing(caught.value, value, EMBED_FORM).errors] == ["/dimensions"]
