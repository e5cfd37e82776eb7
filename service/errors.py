"""Every error that a caller can meet, with its HTTP status and stable code.

    ServiceError
    ├── RequestError            the request as a whole can't be read or served
    │   ├── MalformedRequest    400  not HTTP/1.1
    │   ├── HeadTooLarge        431  headers over 64 KiB
    │   ├── Unauthenticated     401  no key, or none that is known
    │   ├── Forbidden           403  the key lacks the endpoint's scope
    │   ├── MalformedBody       400  not JSON, not multipart, or cut off
    │   ├── RequestTooSlow      408  head or body did not arrive in time
    │   ├── BodyTooLarge        413  more bytes than `max_body_bytes`
    │   ├── UnsupportedBody     415  neither JSON nor multipart, or compressed
    │   ├── UnknownPath         404  no such endpoint
    │   ├── WrongMethod         405  the endpoint has another method
    │   ├── ModelNotServed      404  the model repository lacks the model
    │   ├── ModelNotFound       404  OpenAI's format asks for a model of another name
    │   └── InvalidRequest      422  carries one InputError for each wrong input, all of them
    ├── InputError              422  one input is wrong; `pointer` says which
    │   ├── InvalidField             the JSON's shape
    │   ├── TooManyItems             more items than `max_items`
    │   ├── InvalidText              text that UTF-8 can't carry, or longer than `max_text_bytes`
    │   ├── InvalidBase64            an encoded payload that does not decode
    │   ├── UnreadableImage          not a picture of a known format, or damaged
    │   ├── ImageTooLarge            more pixels than `max_pixels`, known from the header
    │   ├── UnreadableAudio          not a sound of a known format, damaged, empty or not finite
    │   ├── AudioTooLong             longer than `max_audio_seconds`
    │   ├── DecoderCrashed           the decoder crashed on this file, in its own process
    │   ├── DecoderTimeout           the decoder took longer than `decode_timeout_ms`
    │   ├── DecoderOutOfMemory       the decoder needed more memory than it may have
    │   ├── UrlNotAllowed            a URL that is not fetched: fetching is off, or its scheme, host or form
    │   ├── UrlUnreachable           a URL whose file did not come: no address, certificate, 200; too large or slow
    │   └── FingerprintMismatch      a vector of another model
    └── Unavailable             the service can't answer now; the request may be right
        ├── QueueFull           429  `max_queue` inputs are being worked on
        │   └── BytesFull       429  `max_pending_bytes` are held
        ├── RateLimited         429  the key's requests or items per second are used up
        ├── NotReady            503  starting
        │   └── Draining        503  stopping
        ├── DecodersUnavailable 503  decoding processes end, by no fault of a file
        ├── EngineUnavailable   503  the engine is out of reach, or sick
        ├── DeadlineExceeded    504  `deadline_ms` passed
        └── EngineFailure       500  the model failed on this input

Decoders, their processes, the tokenizer and the fetcher raise InputError; engines raise EngineFailure and
EngineUnavailable (from their library's exceptions, which no other module sees); the gate raises Unauthenticated,
Forbidden and RateLimited, the batcher QueueFull, the watchdog
DeadlineExceeded and RequestTooSlow, a remote engine both; `problem.py`
renders them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Self

Number = int | float


class ServiceError(Exception):
    """Base of all errors with a known answer. `detail` is shown to the caller: never paths or payloads.

    `reason` is the word for operators where the code tells them too little; see `rejection_reason`.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    reason: ClassVar[str | None] = None

    def __init__(self, detail: str, *, limit: Number | None = None, actual: Number | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.limit = limit
        self.actual = actual

    def let_go(self) -> Self:
        """Forget where it was raised, once it is caught for good, and give itself.

        The frames of a traceback hold the request's body, and whoever keeps the error is mostly held by one of them:
        such a circle, megabytes of it, would wait for the garbage collector.
        """
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class RequestError(ServiceError):
    """The request as a whole is wrong."""

    status, code, title = 400, "bad_request", "Bad request"


class Unauthenticated(RequestError):
    """There is no key, or none that is known. `presented`: something was sent for one."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"

    def __init__(
        self, detail: str, *, limit: Number | None = None, actual: Number | None = None, presented: bool = True
    ) -> None:
        super().__init__(detail, limit=limit, actual=actual)
        self.presented = presented


class Forbidden(RequestError):
    """The key is good, but not for this; `scope` is what it lacks."""

    status, code, title = 403, "forbidden", "Forbidden"

    def __init__(
        self, detail: str, *, limit: Number | None = None, actual: Number | None = None, scope: str = ""
    ) -> None:
        super().__init__(detail, limit=limit, actual=actual)
        self.scope = scope


class MalformedBody(RequestError):
    """The body is not what its content type says."""

    code, title = "malformed_body", "Malformed body"


class MalformedRequest(RequestError):
    """The bytes on the wire are not HTTP/1.1."""

    code, title = "malformed_request", "Malformed request"


class HeadTooLarge(RequestError):
    """The request line and headers have more bytes than the protocol takes."""

    status, code, title = 431, "head_too_large", "Request header fields too large"


class RequestTooSlow(RequestError):
    """The head did not arrive within 20 s, or the body not within `read_timeout_ms`, or it came to a halt."""

    status, code, title = 408, "request_too_slow", "Request timeout"


class BodyTooLarge(RequestError):
    """The body has more bytes than `max_body_bytes`."""

    status, code, title = 413, "body_too_large", "Body too large"


class UnsupportedBody(RequestError):
    """The content type is neither JSON nor multipart, or the body is compressed."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class UnknownPath(RequestError):
    """No such endpoint."""

    status, code, title = 404, "not_found", "Not found"


class WrongMethod(RequestError):
    """The endpoint exists, with another method."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class ModelNotServed(RequestError):
    """The model repository lacks the model that the endpoint needs."""

    status, code, title = 404, "model_not_served", "Model not served"


class ModelNotFound(RequestError):
    """No model of the name that the caller asks for."""

    status, code, title = 404, "model_not_found", "Model not found"


class InputError(ServiceError):
    """One input is wrong. `pointer` is its JSON pointer, filled in by whoever knows the place."""

    status, code, title = 422, "invalid_input", "Invalid input"

    def __init__(
        self, detail: str, *, limit: Number | None = None, actual: Number | None = None, pointer: str = ""
    ) -> None:
        super().__init__(detail, limit=limit, actual=actual)
        self.pointer = pointer


class InvalidField(InputError):
    """A field is missing, unknown, or of the wrong type or range."""

    code = "invalid_field"


class TooManyItems(InputError):
    """More items in one request than `max_items`."""

    code = "too_many_items"


class InvalidText(InputError):
    """Text that UTF-8 can't carry, or that is longer than `max_text_bytes`."""

    code = "invalid_text"


class InvalidBase64(InputError):
    """A payload that is not base64."""

    code = "invalid_base64"


class UnreadableImage(InputError):
    """Not a picture of a known format, or a damaged one."""

    code = "unreadable_image"


class ImageTooLarge(InputError):
    """More pixels than `max_pixels`, known from the header alone."""

    code = "image_too_large"


class UnreadableAudio(InputError):
    """Not a sound of a known format, damaged, empty, or with samples that are not finite."""

    code = "unreadable_audio"


class AudioTooLong(InputError):
    """Longer than `max_audio_seconds`."""

    code = "audio_too_long"


class DecoderCrashed(InputError):
    """The decoder's process ended in the middle of this file. Others are not touched."""

    code = "decoder_crashed"


class DecoderTimeout(InputError):
    """The decoder's process was ended because this file took longer than `decode_timeout_ms`."""

    code = "decoder_timeout"


OUT_OF_MEMORY = "decoding this file takes more memory than a decoder may have"


class DecoderOutOfMemory(InputError):
    """Decoding this file needs more memory than a decoder may have."""

    code = "decoder_out_of_memory"


class UrlNotAllowed(InputError):
    """A URL that this service does not fetch. The text never says which address a name has."""

    code = "url_not_allowed"


class UrlUnreachable(InputError):
    """A URL whose file could not be had within the limits. A private address reads like a host that is not there."""

    code = "url_unreachable"


class FingerprintMismatch(InputError):
    """A vector that was made by another model."""

    code = "fingerprint_mismatch"


class InvalidRequest(RequestError):
    """The request's inputs are wrong: all of them are named."""

    status, code, title = 422, "invalid_request", "Invalid request"

    def __init__(self, errors: list[InputError]) -> None:
        detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} inputs are wrong; `errors` names each"
        super().__init__(detail)
        self.errors = errors

    def let_go(self) -> Self:
        """As `ServiceError`; so do the inputs' errors."""
        for error in self.errors:
            error.let_go()
        return super().let_go()


class Unavailable(ServiceError):
    """The service can't answer now."""

    status, code, title = 503, "unavailable", "Unavailable"
    retry_after_s: int | None = None


class QueueFull(Unavailable):
    """As much work as the service accepts is already waiting."""

    status, code, title = 429, "queue_full", "Too many requests"
    retry_after_s = 1


class BytesFull(QueueFull):
    """What is at work holds as many bytes as `max_pending_bytes` allows."""

    reason = "bytes"


class RateLimited(Unavailable):
    """The key's requests or items per second are used up; `wait_s` until they are there again."""

    status, code, title = 429, "rate_limited", "Too many requests"
    retry_after_s = 1

    def __init__(
        self, detail: str, *, limit: Number | None = None, actual: Number | None = None, wait_s: float = 1.0
    ) -> None:
        super().__init__(detail, limit=limit, actual=actual)
        self.wait_s = wait_s
        self.retry_after_s = max(1, math.ceil(wait_s))


class NotReady(Unavailable):
    """The service is starting, or (as `Draining`) on its way out."""

    code, title = "not_ready", "Not ready"
    reason: ClassVar[str | None] = "starting"
    retry_after_s = 1


class Draining(NotReady):
    """The service stops."""

    reason = "draining"


class DecodersUnavailable(Unavailable):
    """The processes that decode have ended twice while they had this file, which is not to blame."""

    code, title = "decoders_unavailable", "Decoders unavailable"
    retry_after_s = 1


class EngineUnavailable(Unavailable):
    """The engine is out of reach, or has failed so often that it is left alone until it recovers."""

    code, title = "engine_unavailable", "Engine unavailable"
    retry_after_s = 1


class DeadlineExceeded(Unavailable):
    """The deadline passed before the answer was ready."""

    status, code, title = 504, "deadline_exceeded", "Deadline exceeded"
    reason = "deadline"


class EngineFailure(Unavailable):
    """The model failed on this input; its neighbours were answered."""

    status, code, title = 500, "engine_failure", "Engine failure"


REFUSING_STATUSES = frozenset({401, 403, 408, 413, 429, 431, 503, 504})
"""Statuses of requests that were turned away, whatever their inputs hold."""


def rejection_reason(error: type[ServiceError]) -> str | None:
    """Why a class of errors turns requests away, in one word; None where inputs or the model are to blame."""
    if error.status not in REFUSING_STATUSES:
        return None
    return error.reason or error.code


def error_classes(base: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """`base` and every class below it."""
    yield base
    for child in base.__subclasses__():
        yield from error_classes(child)
