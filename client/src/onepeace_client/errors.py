"""Every error that a call can end with. Codes and statuses are the server's (its `service/errors.py`).

    OnePeaceError
    ├── InvalidInput       422  inputs are wrong; `errors` names each, by its index in the caller's list
    ├── RequestRefused     4xx  the request as a whole can't be served: too large, too slow, no such path
    │   ├── ModelNotServed 404  the server's repository lacks the model
    │   ├── Unauthenticated 401 the server wants a key, or knows none like `Options.api_key`
    │   └── Forbidden      403  the key lacks the scope for this call
    ├── QueueFull          429  the server has all the work it takes                            (is tried again)
    ├── RateLimited        429  the key's requests or items per second are used up              (is tried again)
    ├── Unavailable        503  the server is starting, draining, or its engine is out of reach (is tried again)
    ├── DeadlineExceeded   504  the server's deadline passed, or the call's own: then `status` is None
    ├── EngineFailure      500  the model failed on this input
    ├── ServerFault        5xx  a fault of the server
    ├── Unreachable             the connection broke                                            (is tried again)
    │   └── NotConnected        nobody took the connection, so nothing was sent                 (is tried again)
    ├── ProtocolError           what came is no answer of this API
    └── ClientClosed            `close` was called before

What is wrong with an item before anything is sent is a TypeError, a ValueError (an `UnknownFile` is one) or the OSError
of its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

Number = int | float


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing that is wrong.

    Attributes:
        pointer: JSON pointer (RFC 6901) into the caller's own lists: `/inputs/3/image`.
        limit, actual: the bound that was broken and what came instead, where there is such a bound.
    """

    pointer: str
    code: str
    detail: str
    limit: Number | None = None
    actual: Number | None = None

    @property
    def index(self) -> int | None:
        """Place in the caller's list, or None when the problem is not one item's."""
        return next((int(step) for step in self.pointer.split("/") if step.isdecimal()), None)


class OnePeaceError(Exception):
    """Base of all errors of a call.

    Attributes:
        code: the server's stable word for it.
        status: HTTP status, the same over gRPC; None when the error arose on this side.
        request_id: what the server's log knows the request by.
        retry_after_s: when the server says to come again.
        errors: what was wrong, one by one.
    """

    default_code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        errors: Sequence[InputProblem] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.status = status
        self.request_id = request_id
        self.errors = tuple(errors)
        self.retry_after_s: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether the server is not there or says that it starts or ends; it began nothing."""
        return isinstance(self, NotConnected) or self.code == "not_ready"

    def __str__(self) -> str:
        places = "; ".join(f"{problem.pointer}: {problem.detail}" for problem in self.errors[:5] if problem.pointer)
        return f"{self.code}: {self.detail}" + (f" ({places})" if places else "")


class InvalidInput(OnePeaceError):
    """Inputs are wrong; `errors` names each."""

    default_code = "invalid_request"


class RequestRefused(OnePeaceError):
    """The request as a whole can't be served."""

    default_code = "bad_request"


class ModelNotServed(RequestRefused):
    """The server's model repository lacks the model that the call needs."""

    default_code = "model_not_served"


class Unauthenticated(RequestRefused):
    """The server wants a key, or knows none like the one that was sent."""

    default_code = "unauthenticated"


class Forbidden(RequestRefused):
    """The key is good, but not for this call."""

    default_code = "forbidden"


class QueueFull(OnePeaceError):
    """The server has as much work as it accepts."""

    default_code, retryable = "queue_full", True


class RateLimited(OnePeaceError):
    """The key's requests or items per second are used up."""

    default_code, retryable = "rate_limited", True


class Unavailable(OnePeaceError):
    """The server can't answer now."""

    default_code, retryable = "unavailable", True


class DeadlineExceeded(OnePeaceError):
    """No answer in time: by the server's deadline, or, with `status` None, by the call's own."""

    default_code = "deadline_exceeded"


class EngineFailure(OnePeaceError):
    """The model failed on an input."""

    default_code = "engine_failure"


class ServerFault(OnePeaceError):
    """A fault of the server."""

    default_code = "internal_error"


class Unreachable(OnePeaceError):
    """There is no connection to the server, or it broke."""

    default_code, retryable = "unreachable", True


class NotConnected(Unreachable):
    """Nobody took the connection: the server is not there, or not reached; nothing was sent."""


class ProtocolError(OnePeaceError):
    """What came is no answer of this API."""

    default_code = "protocol_error"


class ClientClosed(OnePeaceError):
    """The client was closed before the call."""

    default_code = "client_closed"


BY_CODE: dict[str, tuple[type[OnePeaceError], int]] = {
    "bad_request": (RequestRefused, 400),
    "unauthenticated": (Unauthenticated, 401),
    "forbidden": (Forbidden, 403),
    "malformed_body": (RequestRefused, 400),
    "malformed_request": (RequestRefused, 400),
    "head_too_large": (RequestRefused, 431),
    "request_too_slow": (RequestRefused, 408),
    "body_too_large": (RequestRefused, 413),
    "unsupported_media_type": (RequestRefused, 415),
    "not_found": (RequestRefused, 404),
    "method_not_allowed": (RequestRefused, 405),
    "model_not_served": (ModelNotServed, 404),
    "model_not_found": (ModelNotServed, 404),
    "invalid_request": (InvalidInput, 422),
    "invalid_input": (InvalidInput, 422),
    "invalid_field": (InvalidInput, 422),
    "too_many_items": (InvalidInput, 422),
    "invalid_text": (InvalidInput, 422),
    "invalid_base64": (InvalidInput, 422),
    "unreadable_image": (InvalidInput, 422),
    "image_too_large": (InvalidInput, 422),
    "unreadable_audio": (InvalidInput, 422),
    "audio_too_long": (InvalidInput, 422),
    "decoder_crashed": (InvalidInput, 422),
    "decoder_timeout": (InvalidInput, 422),
    "decoder_out_of_memory": (InvalidInput, 422),
    "fingerprint_mismatch": (InvalidInput, 422),
    "url_not_allowed": (InvalidInput, 422),
    "url_unreachable": (InvalidInput, 422),
    "queue_full": (QueueFull, 429),
    "rate_limited": (RateLimited, 429),
    "unavailable": (Unavailable, 503),
    "not_ready": (Unavailable, 503),
    "engine_unavailable": (Unavailable, 503),
    "decoders_unavailable": (Unavailable, 503),
    "deadline_exceeded": (DeadlineExceeded, 504),
    "engine_failure": (EngineFailure, 500),
    "internal_error": (ServerFault, 500),
}
"""Class and HTTP status of the server's codes. A test holds this table and the server's together."""

_BY_STATUS: dict[int, type[OnePeaceError]] = {
    401: Unauthenticated,
    403: Forbidden,
    422: InvalidInput,
    429: QueueFull,
    502: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}


def error_class(code: str | None, status: int) -> type[OnePeaceError]:
    """The class for a code; for one that this version does not know, or none (a proxy answered), by the status."""
    if code in BY_CODE:
        return BY_CODE[code][0]
    return _BY_STATUS.get(status, RequestRefused if status < 500 else ServerFault)
