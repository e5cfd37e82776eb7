"""The engine that the settings ask for."""

from __future__ import annotations

from service.engine.observer import EngineObserver
from service.engine.protocol import Engine
from service.repository import ModelFolder
from service.settings import Settings


def build_engine(models: dict[str, ModelFolder], settings: Settings, observer: EngineObserver) -> Engine:
    """ONNX Runtime in the process, or Triton; not started yet. Each is imported only where it is used.

    Raises:
        SettingsError: Triton's addresses or certificates can't be read.
    """
    if settings.engine == "triton":
        from service.engine.triton.engine import TritonEngine

        return TritonEngine(models, settings, observer)
    from service.engine.onnx import OnnxEngine

    return OnnxEngine(
        models, threads=settings.engine_cores(), device=settings.engine_device, verify=settings.verify_model
    )
