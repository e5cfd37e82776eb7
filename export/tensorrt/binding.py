"""The `tensorrt` package, imported only when a plan is built or run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class TensorRTMissing(Exception):
    """The package can't be imported; the message says what to install."""


class PlanError(Exception):
    """TensorRT could not build or run a plan; the message holds its reasons."""


def load_tensorrt() -> Any:
    """Import `tensorrt`.

    Raises:
        TensorRTMissing: it is not installed, or its libraries can't be loaded.
    """
    try:
        return import_module("tensorrt")
    except ModuleNotFoundError as error:
        raise TensorRTMissing(
            "the package tensorrt is not installed: pip install tensorrt==VERSION, the version of your Triton release"
        ) from error
    except ImportError as error:
        raise TensorRTMissing(f"the package tensorrt can't be loaded: {error}") from error


def start(kind: Callable[..., Any], *arguments: Any) -> Any:
    """Create one of TensorRT's objects.

    Raises:
        PlanError: it can't start; the bindings then have no object to give and say no more than `TypeError`.
    """
    try:
        return kind(*arguments)
    except TypeError as error:
        raise PlanError("TensorRT can't start on this GPU; its log says why") from error
