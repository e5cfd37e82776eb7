"""The same work without a service: decode, preprocess, engine and JSON in one loop of one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson

from bench.samples import Sample
from service.engine.onnx_runtime import load_onnxruntime
from service.engine.protocol import Batch
from service.preprocessing import Prepared, Preprocessor, audio_row, image_row, text_row
from service.repository import read_repository
from service.settings import Settings


class BarePipeline:
    """One model's preprocessing and ONNX Runtime session on one thread."""

    def __init__(self, repository: Path, sample: Sample) -> None:
        models = read_repository(repository)
        self._sample = sample
        self._preprocessor = Preprocessor(models, Settings(model_repository=repository))
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = str(models[sample.model].onnx_path)
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def prepare(self) -> Prepared:
        """From the file's bytes to a row."""
        sample, preprocessor = self._sample, self._preprocessor
        if sample.model == "text":
            return text_row("text", preprocessor.text("text", sample.data.decode()))
        if sample.model == "image":
            return image_row("image", preprocessor.image("image", sample.data).run())
        return audio_row("audio", preprocessor.audio("audio", sample.data).run())

    def whole(self, rows: int) -> None:
        """From bytes to JSON, `rows` at a time."""
        batch = Batch([self.prepare().inputs for _ in range(rows)])
        for vector in np.asarray(self._session.run(None, batch.tensors())[0]):
            orjson.dumps({"embedding": vector}, option=orjson.OPT_SERIALIZE_NUMPY)

    def engine(self, rows: int) -> Callable[[], None]:
        """A call of the engine alone, on rows prepared beforehand."""
        tensors = Batch([self.prepare().inputs] * rows).tensors()

        def call() -> None:
            self._session.run(None, tensors)

        return call


def measure(call: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each call, repeated for about `seconds` after one warm-up."""
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        call()
        times.append(time.perf_counter() - started)
    return times
