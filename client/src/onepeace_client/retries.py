"""When a request is sent again: how often, how soon, and how much a client may add to an outage."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from onepeace_client.errors import OnePeaceError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter (a wait drawn from 0 to the bound, so that clients spread out).

    Attributes:
        attempts: requests for one answer, the first included; 1: nothing is sent again.
        first_wait_s, longest_wait_s: bound of the first wait, which doubles with each attempt, and its end.
        reserve: retries that a client has at first, and at most.
        refill: retries that each request earns: 0.1 lets a long outage cost a tenth more requests.
        patience_s: how long a request waits for a server that answered before and is being started anew: it takes no
            connection, or says that it is not ready. All such tries of a request are one retry; 0: like any other.
    """

    attempts: int = 4
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0
    reserve: float = 10.0
    refill: float = 0.1
    patience_s: float = 30.0

    def wait_s(self, attempt: int, error: OnePeaceError) -> float:
        """How long to wait after the failed `attempt`, from 1 on; never less than the server says."""
        bound_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1))
        return (error.retry_after_s or 0.0) + random.uniform(0.0, bound_s)  # noqa: S311 (no secret)


@dataclass(slots=True)
class Tries:
    """What one request has been through.

    Attributes:
        failed: tries that failed.
        counted: of these, those that count as attempts.
        away_since_s: when the server was first found away, on the clock `time.monotonic`; None: it was not, the last
            time.
    """

    failed: int = 0
    counted: int = 0
    away_since_s: float | None = None


@dataclass(slots=True)
class RetryBudget:
    """Retries that a client has left: a token bucket over its life, which every request fills a little."""

    policy: RetryPolicy
    _left: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._left = self.policy.reserve

    def earn(self) -> None:
        """A new request was made."""
        with self._lock:
            self._left = min(self.policy.reserve, self._left + self.policy.refill)

    def take(self) -> bool:
        """Whether there was a retry left to take."""
        with self._lock:
            if self._left < 1.0:
                return False
            self._left -= 1.0
            return True


def parse_retry_after(value: str | bytes | None) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110, 10.2.3): a number or a date."""
    if not isinstance(value, str):
        return None
    try:
        return max(0.0, float(int(value)))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return max(0.0, (when - datetime.fromtimestamp(time.time(), timezone.utc)).total_seconds())
