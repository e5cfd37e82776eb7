"""What a decoding process may take, set by itself before it sees a file. Linux only."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OPEN_FILES = 64
OUT_OF_MEMORY_SCORE = 1000
"""The kernel ends these processes before the service, but all at once where the container's `memory.oom.group` is set,
as Kubernetes does."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one worker may take.

    Attributes:
        memory_bytes: address space beyond what it has before its first file; also what it may put into its file.
        processor_s: seconds of processor time for one file.
    """

    memory_bytes: int
    processor_s: float


def live_no_longer_than(parent: int) -> None:
    """Be killed when the parent's thread that started this process ends, however it ends.

    Signals to the whole process group (Ctrl-C, a supervisor's stop) are for the parent alone: it finishes what was
    accepted, and these processes end with it.
    """
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(0)


def confine(limits: WorkerLimits) -> None:
    """Bound memory, files and core dumps of this process."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    with suppress(OSError):  # a read-only /proc
        Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    for what, limit in (
        (resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.memory_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(what)
        bound = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(what, (bound, bound))


def allow_processor_time(seconds: float) -> None:
    """Be killed (SIGXCPU) after so many more seconds of processor time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if most == resource.RLIM_INFINITY else min(soft, most), most))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
