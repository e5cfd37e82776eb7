"""The decoders that the settings ask for."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Protocol

from service.decoding.decoders import Decoders, ThreadDecoders
from service.decoding.pool import PoolPolicy, ProcessDecoders
from service.settings import Settings


class DecodingObserver(Protocol):
    """Who wants to know what becomes of decoding processes: the metrics."""

    def decode_worker_restarted(self, reason: str) -> None:
        """A process was replaced; `reason` is crashed, timeout, abandoned, memory or lost."""


def build_decoders(settings: Settings, threads: Executor, observer: DecodingObserver) -> Decoders:
    """Processes, or the given threads."""
    if settings.decode_isolation == "thread":
        return ThreadDecoders(threads)
    policy = PoolPolicy(
        workers=settings.decode_cores(),
        max_queue=settings.max_queue,
        timeout_s=settings.decode_timeout_ms / 1000,
        memory_bytes=settings.decoder_memory(),
    )
    return ProcessDecoders(policy, threads, observer.decode_worker_restarted)
