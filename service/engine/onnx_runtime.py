"""ONNX Runtime, imported where it is needed only, and silent."""

from __future__ import annotations

import os
from typing import Any

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"


def load_onnxruntime() -> Any:
    """The module `onnxruntime`; the import takes 0.1 s.

    Its official builds send usage events to Microsoft (the package's `Privacy.md`, 1.32). A service must not do that
    unasked, so it is switched off before the first import, unless the environment already says otherwise.
    """
    os.environ.setdefault(TELEMETRY_SWITCH, "1")
    import onnxruntime

    return onnxruntime
