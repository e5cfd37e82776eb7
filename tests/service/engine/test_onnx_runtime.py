"""ONNX Runtime tells nobody what it runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.repository import REPOSITORY

THREADS = """
import os, sys, time
from service.engine.onnx_runtime import load_onnxruntime
runtime = load_onnxruntime()
options = runtime.SessionOptions()
options.intra_op_num_threads = 1
session = runtime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
time.sleep(0.5)
print(os.environ["ORT_DISABLE_TELEMETRY"], len(os.listdir("/proc/self/task")))
"""


def run(**environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", THREADS, str(REPOSITORY / "text" / "1" / "model.onnx")]
    return subprocess.run(command, env=clean | environment, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_thread_uploads_usage_events() -> None:
    assert run() == run(ORT_DISABLE_TELEMETRY="1")


def test_whoever_wants_them_sent_can_say_so() -> None:
    assert run(ORT_DISABLE_TELEMETRY="0").startswith("0 ")
