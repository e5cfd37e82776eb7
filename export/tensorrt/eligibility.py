"""Which models TensorRT can take, told before any work is done."""

from __future__ import annotations

from service.repository import Precision


class UnsupportedModel(Exception):
    """TensorRT can't take this model; the message names it and the reason."""


def refuse_int8(model: str, precision: Precision) -> None:
    """Refuse 8-bit weights.

    Raises:
        UnsupportedModel: `precision` is int8.
    """
    if precision == "int8":
        raise UnsupportedModel(
            f"{model}: int8 weights (MatMulNBits) can't be read by TensorRT; "
            "export with --precision fp16 or bf16, or use --accelerator cuda"
        )
