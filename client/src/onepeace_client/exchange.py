"""One request to its answer: sent again when that may help, within the deadline, the attempts and the budget."""

from __future__ import annotations

import time

from onepeace_client.errors import OnePeaceError
from onepeace_client.profile import Recorder
from onepeace_client.retries import RetryBudget, RetryPolicy
from onepeace_client.script import Deadline, Script, Send, Sleep
from onepeace_client.wire import Outgoing, Reply, Wire


class Exchange:
    """Sends requests of one client. Every call is idempotent, so each may be sent twice."""

    def __init__(self, wire: Wire, policy: RetryPolicy, timeout_s: float) -> None:
        self._wire, self._policy, self.timeout_s = wire, policy, timeout_s
        self._budget = RetryBudget(policy)
        self.recorder = Recorder()

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Script[Reply]:
        """The first good reply.

        Raises:
            OnePeaceError: the last failure, when trying again would not help, or may not be.
        """
        self._budget.earn()
        attempt = 1
        while True:
            try:
                return (yield from self._attempt(outgoing, deadline, attempt))
            except OnePeaceError as error:
                wait_s = self.wait_s(error, attempt, deadline)
            yield Sleep(wait_s)
            attempt += 1

    def wait_s(self, error: OnePeaceError, attempt: int, deadline: Deadline) -> float:
        """Seconds to wait after the failed `attempt`, from 1 on; takes one retry from the budget.

        Raises:
            OnePeaceError: the error itself, when trying again would not help, or may not be.
        """
        if not error.retryable or attempt >= self._policy.attempts:
            raise error
        wait_s = self._policy.wait_s(attempt, error)
        if wait_s >= deadline.left_s() or not self._budget.take():
            raise error
        return wait_s

    def _attempt(self, outgoing: Outgoing, deadline: Deadline, attempt: int) -> Script[Reply]:
        timeout_s = min(self.timeout_s, deadline.left_s())
        started_s = time.perf_counter()
        try:
            reply: Reply = yield Send(outgoing, timeout_s)
        except OnePeaceError:
            self._record(outgoing, None, started_s, attempt)
            raise
        self._record(outgoing, reply, started_s, attempt)
        failure = self._wire.failure(reply)
        if failure is not None:
            raise failure
        return reply

    def _record(self, outgoing: Outgoing, reply: Reply | None, started_s: float, attempt: int) -> None:
        self.recorder.add(
            seconds=time.perf_counter() - started_s,
            sent=len(outgoing.body),
            received=len(reply.body) if reply else 0,
            timing=reply.headers.get("server-timing") if reply else None,
            again=attempt > 1,
        )
