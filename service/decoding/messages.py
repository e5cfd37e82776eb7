"""Orders and outcomes as head and body; see `exchange`. Errors travel by their code."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from service.decoding.exchange import Body, BrokenExchange
from service.decoding.orders import Order, Raw, build_order
from service.errors import (
    AudioTooLong,
    DecoderOutOfMemory,
    ImageTooLarge,
    InputError,
    InvalidBase64,
    TooManyItems,
    UnreadableAudio,
    UnreadableImage,
)

Result = TypeVar("Result")
Head = dict[str, Any]
_ERRORS: dict[str, type[InputError]] = {
    error.code: error
    for error in (
        AudioTooLong,
        DecoderOutOfMemory,
        ImageTooLarge,
        InvalidBase64,
        TooManyItems,
        UnreadableAudio,
        UnreadableImage,
    )
}


class DecoderBug(Exception):
    """A decoder raised what it must not; the message is its traceback."""


def order_message(order: Order[Any]) -> tuple[Head, bytes]:
    """An order for a worker.

    Raises:
        InputError: the payload itself, if it is one.
    """
    payload = order.payload
    if isinstance(payload, InputError):
        raise payload
    is_text = isinstance(payload, str)
    head = {"kind": order.kind, "is_text": is_text, "fields": order.fields()}
    return head, payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload


def read_order(head: Head, body: Raw) -> Order[Any]:
    """The order again."""
    data = body.tobytes()
    return build_order(head["kind"], head["fields"], data.decode("utf-8", "surrogatepass") if head["is_text"] else data)


def result_message(order: Order[Result], result: Result) -> tuple[Head, npt.NDArray[Any]]:
    """What an order gave."""
    fields, array = order.pack(result)
    return {"result": fields}, np.ascontiguousarray(array)


def error_message(error: InputError) -> tuple[Head, Body]:
    """What was wrong with a file."""
    return {"error": error.code, "detail": error.detail, "limit": error.limit, "actual": error.actual}, b""


def bug_message(traceback: str) -> tuple[Head, Body]:
    """What a decoder raised beyond its errors."""
    return {"bug": traceback}, b""


def read_outcome(order: Order[Result], head: Head, body: Raw) -> Result | InputError:
    """What became of an order.

    Raises:
        DecoderBug: the decoder failed in a way that it must not.
        BrokenExchange: this is no outcome of this order.
    """
    if "bug" in head:
        raise DecoderBug(str(head["bug"]))
    try:
        if "error" in head:
            return _ERRORS[head["error"]](str(head["detail"]), limit=head["limit"], actual=head["actual"])
        return order.unpack(head["result"], body)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenExchange(f"no outcome of an order '{order.kind}'") from error
