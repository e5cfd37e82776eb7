"""One request to its answer: sent again when that may help, within the deadline, the attempts and the budget."""

from __future__ import annotations

import time

from onepeace_client.errors import OnePeaceError, Unreachable
from onepeace_client.profile import Recorder
from onepeace_client.retries import RetryBudget, RetryPolicy, Tries
from onepeace_client.script import Deadline, Script, Send, Sleep
from onepeace_client.wire import Outgoing, Reply, Wire


class Exchange:
    """Sends requests of one client. Every call is idempotent, so each may be sent twice."""

    def __init__(self, wire: Wire, policy: RetryPolicy, timeout_s: float) -> None:
        self._wire, self._policy, self.timeout_s = wire, policy, timeout_s
        self._budget = RetryBudget(policy)
        self._has_answered = False  # a server that was never there may be a wrong address: nobody waits for that
        self.recorder = Recorder()

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Script[Reply]:
        """The first good reply.

        Raises:
            OnePeaceError: the last failure, when trying again would not help, or may not be.
        """
        self._budget.earn()
        tries = Tries()
        while True:
            try:
                return (yield from self._try(outgoing, deadline, again=tries.failed > 0))
            except OnePeaceError as error:
                wait_s = self.wait_s(error, tries, deadline)
            yield Sleep(wait_s)

    def wait_s(self, error: OnePeaceError, tries: Tries, deadline: Deadline) -> float:
        """Seconds to wait after a try that failed, which is counted; takes a retry from the budget.

        Raises:
            OnePeaceError: the error itself, when trying again would not help, or may not be.
        """
        if not error.retryable or self._policy.attempts == 1:
            raise error
        tries.failed += 1
        wait_s = self._policy.wait_s(tries.failed, error)
        if wait_s >= deadline.left_s() or not self._may_wait(error, tries, wait_s):
            raise error
        return wait_s

    def _may_wait(self, error: OnePeaceError, tries: Tries, wait_s: float) -> bool:
        now_s = time.monotonic()
        if error.is_away and self._has_answered and self._policy.patience_s > 0:
            if tries.away_since_s is not None:
                return now_s + wait_s - tries.away_since_s < self._policy.patience_s
            tries.away_since_s = now_s
        else:
            tries.away_since_s = None
            tries.counted += 1
        return tries.counted < self._policy.attempts and self._budget.take()

    def _try(self, outgoing: Outgoing, deadline: Deadline, *, again: bool) -> Script[Reply]:
        timeout_s = min(self.timeout_s, deadline.left_s())
        started_s = time.perf_counter()
        try:
            reply: Reply = yield Send(outgoing, timeout_s)
        except OnePeaceError:
            self._record(outgoing, None, started_s, again)
            raise
        self._record(outgoing, reply, started_s, again)
        failure = self._wire.failure(reply)
        if not isinstance(failure, Unreachable):
            self._has_answered = True
        if failure is not None:
            raise failure
        return reply

    def _record(self, outgoing: Outgoing, reply: Reply | None, started_s: float, again: bool) -> None:
        self.recorder.add(
            seconds=time.perf_counter() - started_s,
            sent=len(outgoing.body),
            received=len(reply.body) if reply else 0,
            timing=reply.headers.get("server-timing") if reply else None,
            again=again,
        )
