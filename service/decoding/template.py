"""The process that workers are forked from: `python -m service.decoding.template`, started by `template_process`.

It has loaded the decoders and nothing else: no models, no settings, no descriptors or variables of the service. A
fork of it is ready in milliseconds and shares its memory. It never decodes, has one thread, reaps what it forked, and
kills it when the service lets go of its socket.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Any

from service.decoding import worker
from service.decoding.confinement import WorkerLimits, live_no_longer_than

MESSAGE_BYTES = 4096
FILES_OF_A_WORKER = 2


class Template:
    """Forks, kills and reaps workers as the service asks.

    Messages are JSON. From the service: `{"fork": limits}` with a socket and a file, `{"kill": pid}`. To it:
    `{"ready": true}` once, `{"forked": pid}` for each fork in order, `{"ended": pid, "status": n}` for each end, where
    n is the exit code, or minus the signal's number.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        self._wakeup, self._waker = socket.socketpair()
        self._wakeup.setblocking(False)
        self._waker.setblocking(False)

    def run(self) -> None:
        """Serve until the service has gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        try:
            self._serve()
        finally:  # also where the service goes while it is told something
            signal.set_wakeup_fd(-1)  # its socket goes before the last children do, and Python would print that
            for child in self._children:
                os.kill(child, signal.SIGKILL)

    def _serve(self) -> None:
        with selectors.PollSelector() as selector:  # has no descriptor that workers would inherit
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            self._tell(ready=True)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wakeup in ready:
                    self._wakeup.recv(MESSAGE_BYTES)
                    self._reap()
                if self._control in ready and not self._obey():
                    return

    def _obey(self) -> bool:
        """Do what the next message asks; False when there is none any more."""
        message, files, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, FILES_OF_A_WORKER)
        if not message:
            return False
        asked = json.loads(message)
        if "fork" in asked:
            self._fork(WorkerLimits(**asked["fork"]), *files)
        elif asked["kill"] in self._children:  # not reaped yet, so the number is still its own
            os.kill(asked["kill"], signal.SIGKILL)
        return True

    def _fork(self, limits: WorkerLimits, channel: int, file: int) -> None:
        parent = os.getpid()
        child = os.fork()
        if not child:
            self._become_worker(parent, limits, channel, file)
        self._children.add(child)
        os.close(channel)
        os.close(file)
        self._tell(forked=child)

    def _become_worker(self, parent: int, limits: WorkerLimits, channel: int, file: int) -> None:
        code, errors = 1, os.dup(sys.stderr.fileno())
        try:
            live_no_longer_than(parent)
            _silence_libraries()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for own in (self._control, self._wakeup, self._waker):
                own.close()
            worker.serve_orders(socket.socket(fileno=channel), file, limits)
            code = 0
        except ConnectionError:
            code = 0  # nobody needs this worker any more
        except BaseException:
            os.write(errors, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            self._children.discard(child)
            self._tell(ended=child, status=os.waitstatus_to_exitcode(status))

    def _tell(self, **message: Any) -> None:
        self._control.send(json.dumps(message).encode())


def _silence_libraries() -> None:
    """Send what native code prints nowhere: libmpg123 comments on a caller's file, past the log and its format."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def main() -> None:
    """Take the socket's descriptor and the service's process id from the command line."""
    control, parent = map(int, sys.argv[1:])
    live_no_longer_than(parent)
    warnings.simplefilter("ignore")  # a library's opinion of a caller's file does not belong into the log
    gc.collect()
    gc.freeze()  # so that collections in workers do not touch, and copy, the memory that they share
    with suppress(BrokenPipeError, ConnectionResetError):  # the service has gone
        Template(socket.socket(fileno=control)).run()


if __name__ == "__main__":
    main()
