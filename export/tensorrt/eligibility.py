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


def refuse_bf16(model: str, precision: Precision) -> None:
    """Refuse bfloat16 for the accelerator of Triton's ONNX Runtime backend.

    Its `precision_mode` takes FP32, FP16 and INT8 and fails to load a model with another (README of
    triton-inference-server/onnxruntime_backend).

    Raises:
        UnsupportedModel: `precision` is bf16.
    """
    if precision == "bf16":
        raise UnsupportedModel(
            f"{model}: the TensorRT accelerator of Triton's ONNX Runtime backend takes no bfloat16; "
            "export with --precision fp16, or use --accelerator cuda or --target triton-tensorrt"
        )
