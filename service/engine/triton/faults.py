"""gRPC's exceptions → ours. The only module that looks into them."""

from __future__ import annotations

from grpc import StatusCode
from grpc.aio import AioRpcError

from service.errors import DeadlineExceeded, EngineFailure, EngineUnavailable, QueueFull, ServiceError

QUEUE_FULL_TEXT = "maximum queue size"
TIMEOUT_TEXT = "timeout expired"
"""Triton gives UNAVAILABLE for both; only the text tells them apart (seen on 2.51)."""
MOST_REASON_CHARS = 500
UNKNOWN_REGION_TEXT = "shared memory region"
UNKNOWN_MODEL_TEXTS = ("unknown model", "is not ready", "is not found")

_UNAVAILABLE = frozenset(
    {
        StatusCode.UNAVAILABLE,
        StatusCode.NOT_FOUND,
        StatusCode.CANCELLED,
        StatusCode.UNIMPLEMENTED,
        StatusCode.UNAUTHENTICATED,
        StatusCode.PERMISSION_DENIED,
    }
)


def is_unknown_region(error: AioRpcError) -> bool:
    """Whether Triton does not know the shared memory that a call names."""
    return UNKNOWN_REGION_TEXT in str(error.details() or "").lower()


def reason(error: BaseException) -> str:
    """What Triton said, for the log: callers are not told."""
    cause = error.__cause__ if isinstance(error, ServiceError) else error
    if isinstance(cause, AioRpcError):
        return f"{cause.code().name}: {cause.details()}"[:MOST_REASON_CHARS]
    return str(error) or type(error).__name__


def translate(error: AioRpcError, model: str) -> ServiceError:
    """What an exception of a call of `model` means to us.

    Full queue: QueueFull. Time over: DeadlineExceeded. Out of reach, stopping, or without the model:
    EngineUnavailable. Anything else: EngineFailure, which the batch's rows may have caused.
    """
    code, text = error.code(), str(error.details() or "").lower()
    if code is StatusCode.DEADLINE_EXCEEDED or (code is StatusCode.UNAVAILABLE and TIMEOUT_TEXT in text):
        return DeadlineExceeded(f"no answer of the model '{model}' within the deadline")
    if code is StatusCode.RESOURCE_EXHAUSTED or (code is StatusCode.UNAVAILABLE and QUEUE_FULL_TEXT in text):
        return QueueFull(f"the queue of model '{model}' is full")
    if code in _UNAVAILABLE or any(known in text for known in UNKNOWN_MODEL_TEXTS):
        return EngineUnavailable(f"the model '{model}' can't be reached")
    return EngineFailure(f"the model '{model}' failed")
