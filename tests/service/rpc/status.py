"""Reads the details of a status as any client can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

KINDS = {
    "info": error_details_pb2.ErrorInfo,
    "bad_request": error_details_pb2.BadRequest,
    "retry": error_details_pb2.RetryInfo,
    "request": error_details_pb2.RequestInfo,
}


def refused(call: Callable[[], object]) -> grpc.RpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def details(error: grpc.RpcError, pb: Any) -> dict[str, Any]:
    """What the status carries, by kind; `problem` is ours."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    found: dict[str, Any] = {}
    for packed in status.details:
        for name, kind in (KINDS | {"problem": pb.Problem}).items():
            if packed.Is(kind.DESCRIPTOR):
                found[name] = kind.FromString(packed.value)
    assert len(found) == len(status.details)
    return found
