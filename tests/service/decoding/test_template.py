"""The process that forks the decoders, at its end."""

from __future__ import annotations

import subprocess
import sys

ENDED = """
import signal, socket
from service.decoding.template import Template
service, control = socket.socketpair()
service.shutdown(socket.SHUT_WR)
Template(control).run()
signal.raise_signal(signal.SIGCHLD)
"""


def test_a_child_that_ends_after_it_is_no_fault_to_print() -> None:
    result = subprocess.run([sys.executable, "-c", ENDED], capture_output=True, text=True, timeout=60, check=True)
    assert result.stderr == ""
