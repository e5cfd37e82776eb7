"""The engine that the settings ask for."""

from __future__ import annotations

from service.engine.onnx import OnnxEngine
from service.engine.protocol import Engine
from service.engine.triton.engine import TritonEngine
from service.engine.triton.replica import EngineObserver
from service.repository import ModelFolder
from service.settings import Settings


def build_engine(models: dict[str, ModelFolder], settings: Settings, observer: EngineObserver) -> Engine:
    """ONNX Runtime in the process, or Triton; not started yet.

    Raises:
        SettingsError: Triton's addresses can't be read.
    """
    if settings.engine == "triton":
        return TritonEngine(models, settings, observer)
    return OnnxEngine(models, threads=settings.engine_cores())
