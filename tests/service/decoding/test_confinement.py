"""The limits that decoding processes set for themselves, each in a process that meets it."""

from __future__ import annotations

import signal
import subprocess
import sys

LIMITS = "from service.decoding.confinement import *\nconfine(WorkerLimits(memory_bytes=64 << 20, processor_s=1.0))\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LIMITS + code], capture_output=True, text=True, timeout=60)


def test_memory_is_bounded() -> None:
    assert run("bytearray(50 << 20)").returncode == 0
    assert "MemoryError" in run("bytearray(80 << 20)").stderr


def test_a_file_in_memory_is_bounded() -> None:
    code = "file = os.memfd_create('x'); os.pwrite(file, b'x', {} << 20)"
    assert run(code.format(60)).returncode == 0
    assert "File too large" in run(code.format(64)).stderr


def test_descriptors_and_core_dumps_are_bounded() -> None:
    assert "Too many open files" in run("[os.dup(2) for _ in range(64)]").stderr
    assert run("print(resource.getrlimit(resource.RLIMIT_CORE))").stdout == "(0, 0)\n"


def test_processor_time_is_bounded_for_each_file() -> None:
    assert run("allow_processor_time(0.0)\nwhile True: pass").returncode == -signal.SIGXCPU
    busy = "import time\nfor _ in range(3):\n allow_processor_time(0.5)\n end = time.process_time() + 0.9\n"
    assert run(busy + " while time.process_time() < end: pass").returncode == 0


def test_they_are_the_first_that_the_kernel_ends() -> None:
    assert run("print(Path('/proc/self/oom_score_adj').read_text())").stdout.strip() == "1000"


def test_a_process_whose_parent_has_gone_ends_at_once() -> None:
    assert run("live_no_longer_than(1)\nprint('still here')").stdout == ""
