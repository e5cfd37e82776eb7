"""The process that workers are forked from, at its end."""

from __future__ import annotations

import subprocess
import sys

RUN_AND_END = """
import signal, socket
from service.decoding.template import Template
control, service = socket.socketpair()
service.shutdown(socket.SHUT_WR)
Template(control).run()
print(signal.set_wakeup_fd(-1))
"""


def test_no_signal_is_written_to_a_socket_that_is_about_to_close() -> None:
    """Else the log has a traceback when a worker's end comes behind the template's own."""
    result = subprocess.run([sys.executable, "-c", RUN_AND_END], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "-1"
