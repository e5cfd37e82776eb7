"""Where the time went: the server's own stages (`Server-Timing`), and the rest, which is network and this side."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

STAGES = ("read", "fetch", "decode", "queue", "infer")
_ENTRY = re.compile(r"([\w-]+)\s*(?:;[^,]*?\bdur=([\d.]+))")


@dataclass(frozen=True, slots=True)
class Profile:
    """Sums over a client's life.

    Attributes:
        requests: sent, retries among them; a stream over gRPC is one.
        retries: sent again.
        seconds: from sending to the whole answer; requests, and items of a stream, that ran side by side each count.
        stages_s: seconds in each of the server's stages. Items of one request may be decoded and run at the same time,
            so the stages together may last longer than the request.
        bytes_sent, bytes_received: of bodies.
    """

    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    stages_s: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    bytes_sent: int = 0
    bytes_received: int = 0

    @property
    def elsewhere_s(self) -> float:
        """Seconds beyond the stages: network, and the work of both sides around it. Stages that overlap hide some."""
        return max(0.0, self.seconds - sum(self.stages_s.values()))

    @property
    def means_ms(self) -> dict[str, float]:
        """Milliseconds of a request in each stage, and `elsewhere`."""
        each = max(1, self.requests)
        totals = {**self.stages_s, "elsewhere": self.elsewhere_s}
        return {stage: 1000.0 * seconds / each for stage, seconds in totals.items()}

    def __str__(self) -> str:
        totals = {**self.stages_s, "elsewhere": self.elsewhere_s}
        share = 100.0 / max(1e-9, sum(totals.values()))
        lines = [f"{'stage':<10}{'total s':>10}{'mean ms':>10}{'share':>8}"]
        for stage, mean_ms in self.means_ms.items():
            lines.append(f"{stage:<10}{totals[stage]:>10.3f}{mean_ms:>10.2f}{totals[stage] * share:>7.0f}%")
        lines.append(
            f"{self.requests} requests, {self.retries} of them retries; "
            f"{self.bytes_sent:,} bytes sent, {self.bytes_received:,} received"
        )
        return "\n".join(lines)


class Recorder:
    """Adds up requests, from any thread."""

    def __init__(self) -> None:
        self._profile = Profile()
        self._lock = threading.Lock()

    def add(self, *, seconds: float, sent: int, received: int, timing: str | bytes | None, again: bool) -> None:
        """Count a request that took `seconds`, with the reply's `Server-Timing`."""
        stages_s = parse_server_timing(timing)
        with self._lock:
            old = self._profile
            names = dict.fromkeys((*old.stages_s, *stages_s))
            self._profile = Profile(
                old.requests + 1,
                old.retries + again,
                old.seconds + seconds,
                {name: old.stages_s.get(name, 0.0) + stages_s.get(name, 0.0) for name in names},
                old.bytes_sent + sent,
                old.bytes_received + received,
            )

    def profile(self) -> Profile:
        """The sums until now."""
        with self._lock:
            return replace(self._profile)


def parse_server_timing(value: str | bytes | None) -> dict[str, float]:
    """Seconds of each stage in `read;dur=0.05, infer;dur=1.5` (W3C Server Timing: `dur` is in milliseconds)."""
    if not isinstance(value, str):
        return {}
    return {name: float(duration_ms) / 1000.0 for name, duration_ms in _ENTRY.findall(value)}
