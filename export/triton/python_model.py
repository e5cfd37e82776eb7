"""Runs the `model.onnx` beside it through ONNX Runtime, inside Triton's Python backend.

`export.triton.python_variant` copies this file into the repository that it writes; it imports nothing of the project.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton  # Triton's own, on the path of its stub only

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # official builds send usage events; read at the import
import onnxruntime


class TritonPythonModel:
    """One model instance; Triton calls its methods."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph. Triton gives the configuration as JSON, and the model's folder.

        Raises:
            RuntimeError: NumPy is too new for the backend.
        """
        if int(np.__version__.partition(".")[0]) > 1:
            raise RuntimeError(f"Triton's Python backend misreads arrays of NumPy {np.__version__}; it needs NumPy 1")
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.output = config["output"][0]["name"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(
            config["parameters"].get("intra_op_thread_count", {}).get("string_value", "0")
        )
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the requests of one batch in one call. Triton only puts requests of equal shapes together."""
        alive = [request for request in requests if not request.is_cancelled()]
        responses = {id(request): self._cancelled() for request in requests}
        if alive:
            responses |= self._run(alive)
        return [responses[id(request)] for request in requests]

    def _run(self, requests: list[Any]) -> dict[int, Any]:
        rows = [
            {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
            for request in requests
        ]
        feed = {name: np.concatenate([row[name] for row in rows]) for name in self.inputs}
        try:
            output = self.session.run([self.output], feed)[0]
        except Exception as error:  # the runtime's exceptions have no public base class
            failed = triton.InferenceResponse(error=triton.TritonError(str(error)))
            return {id(request): failed for request in requests}
        ends = np.cumsum([len(row[self.inputs[0]]) for row in rows])
        parts = np.split(output.astype(np.float32, copy=False), ends[:-1])
        return {
            id(request): triton.InferenceResponse([triton.Tensor(self.output, part)])
            for request, part in zip(requests, parts, strict=True)
        }

    @staticmethod
    def _cancelled() -> Any:
        return triton.InferenceResponse(error=triton.TritonError("cancelled", triton.TritonError.CANCELLED))
