"""A decoding process: takes one order at a time until the service lets go of its socket."""

from __future__ import annotations

import socket
import traceback
from typing import Any

from service.decoding import exchange, messages
from service.decoding.confinement import WorkerLimits, allow_processor_time, confine
from service.decoding.exchange import Body
from service.errors import OUT_OF_MEMORY, DecoderOutOfMemory, InputError


def serve_orders(channel: socket.socket, file: int, limits: WorkerLimits) -> None:
    """Say that this process is ready, and run orders until the other side goes.

    Memory that was short ends it, too: a process that met its limit starts anew.
    """
    confine(limits)
    exchange.send(channel, (0, 0))
    short_of_memory = False
    while not short_of_memory and (lengths := exchange.receive(channel)) is not None:
        allow_processor_time(limits.processor_s)
        try:
            head, body = _run(file, lengths)
        except MemoryError:
            head, body = messages.error_message(DecoderOutOfMemory(OUT_OF_MEMORY))
        short_of_memory = head.get("error") == DecoderOutOfMemory.code
        exchange.send(channel, exchange.write(file, head, body))
        del body


def _run(file: int, lengths: exchange.Lengths) -> tuple[dict[str, Any], Body]:
    try:
        order = messages.read_order(*exchange.read(file, lengths))
        return messages.result_message(order, order.run())
    except InputError as error:
        return messages.error_message(error)
    except MemoryError:
        raise
    except Exception:
        return messages.bug_message(traceback.format_exc())
