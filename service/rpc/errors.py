"""Errors as gRPC statuses with details: the one place that renders them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2

from service import errors
from service.rpc.answers import error_message
from service.rpc.generated import onepeace_pb2 as pb

DOMAIN = "onepeace"
DETAILS_KEY = "grpc-status-details-bin"
MAX_DETAILS_BYTES = 1536
"""Of each of the two lists of errors. A client takes 8 KiB of metadata, where bytes become base64."""
MAX_MESSAGE_CHARS = 500

CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""The code of each HTTP status; of other statuses INVALID_ARGUMENT below 500, INTERNAL from there on."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends that fails; `details` is a serialized `google.rpc.Status`."""

    code: grpc.StatusCode
    message: str
    details: bytes


def code_of(error: type[errors.ServiceError]) -> grpc.StatusCode:
    """The code of a class of errors."""
    return CODES.get(error.status, grpc.StatusCode.INVALID_ARGUMENT if error.status < 500 else grpc.StatusCode.INTERNAL)


def status_of(error: errors.ServiceError, request_id: str) -> Status:
    """What the caller is told."""
    code = code_of(type(error))
    wrong = error.errors if isinstance(error, errors.InvalidRequest) else [error]
    word = wrong[0].code if len(wrong) == 1 else error.code
    problem = _problem(wrong, word, request_id)
    details: list[Any] = [_error_info(wrong, word)]
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        details.append(_bad_request(problem))
    if isinstance(error, errors.Unavailable) and error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(error.retry_after_s)
        details.append(retry)
    details += [error_details_pb2.RequestInfo(request_id=request_id), problem]
    place = wrong[0].pointer if len(wrong) == 1 and isinstance(wrong[0], errors.InputError) else ""
    message = (f"{place}: {error.detail}" if place else error.detail)[:MAX_MESSAGE_CHARS]
    status = status_pb2.Status(code=code.value[0], message=message, details=[_packed(detail) for detail in details])
    return Status(code, message, status.SerializeToString())


def _error_info(wrong: list[errors.InputError] | list[errors.ServiceError], word: str) -> Any:
    info = error_details_pb2.ErrorInfo(reason=word.upper(), domain=DOMAIN)
    if len(wrong) == 1:
        numbers = {"limit": wrong[0].limit, "actual": wrong[0].actual}
        info.metadata.update({name: str(number) for name, number in numbers.items() if number is not None})
    return info


def _problem(wrong: list[errors.InputError] | list[errors.ServiceError], word: str, request_id: str) -> Any:
    problem = pb.Problem(code=word, request_id=request_id)
    size = 0
    for error in wrong:
        entry = error_message(error)
        size += entry.ByteSize()
        if size > MAX_DETAILS_BYTES:
            break
        problem.errors.append(entry)
    problem.omitted = len(wrong) - len(problem.errors)
    return problem


def _bad_request(problem: Any) -> Any:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=entry.pointer, description=entry.detail, reason=entry.code.upper()
            )
            for entry in problem.errors
        ]
    )


def _packed(message: Any) -> Any:
    packed = Packed()
    packed.Pack(message)
    return packed
