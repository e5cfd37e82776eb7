"""Messages are counted as protobuf's own parser would find them."""

from __future__ import annotations

import pytest

from service.errors import BodyTooLarge
from service.rpc.census import COUNT_FROM_BYTES, MAX_FIELDS, bound_fields
from service.rpc.generated import onepeace_pb2 as pb


def bound(message: object) -> None:
    bound_fields(message.SerializeToString(), message.DESCRIPTOR)  # type: ignore[attr-defined]


def test_a_large_file_is_one_field() -> None:
    bound(pb.EmbedRequest(inputs=[pb.Item(image=b"\x0a\x00" * 1_000_000)]))


def test_as_many_fields_as_allowed_are_taken_and_one_more_is_not() -> None:
    # Each item is a field of the request, and holds one.
    texts = [pb.Item(text="a text") for _ in range(MAX_FIELDS // 2)]
    bound(pb.EmbedRequest(inputs=texts))
    with pytest.raises(BodyTooLarge) as caught:
        bound(pb.EmbedRequest(inputs=texts, dimensions=1))
    assert caught.value.limit == MAX_FIELDS


def test_packed_numbers_count() -> None:
    weights = pb.Item(fused=pb.Fused(parts=[pb.Part(text="x")], weights=[1.0] * (MAX_FIELDS + 1)))
    with pytest.raises(BodyTooLarge):
        bound(pb.EmbedRequest(inputs=[weights]))


@pytest.mark.parametrize("tail", [b"\xff" * 20, b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\x09\x00", b"\x0d\x00"])
def test_a_broken_message_is_left_to_the_parser(tail: bytes) -> None:
    bound_fields(
        b"\x12\x00" * 100 + b"\x0a" + b"\x80\x80\x08" + b"x" * (2 * COUNT_FROM_BYTES) + tail, pb.InfoRequest.DESCRIPTOR
    )
