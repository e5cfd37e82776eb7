"""Whether the service is starting, ready or draining: asked by health checks, set by start and signals."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """In this order, each at most once."""

    STARTING = "starting"
    WAITING = "engine_unavailable"
    READY = "ready"
    DRAINING = "draining"


ENGINE_DEAD = "engine_dead"
DECODERS_UNAVAILABLE = "decoders_unavailable"
"""What else `Runtime.status` says: the state of a part, not of the process."""


class Lifecycle:
    """The state of one process."""

    def __init__(self) -> None:
        self.state = State.STARTING

    @property
    def draining(self) -> bool:
        """Whether the process is on its way out: it serves on, but asks callers to leave."""
        return self.state is State.DRAINING

    def wait(self) -> None:
        """Calls are taken, but no engine has answered for every model yet."""
        if self.state is State.STARTING:
            self.state = State.WAITING

    def warmed(self) -> None:
        """An engine has answered for every model. What becomes of it later does not change the state."""
        if self.state in {State.STARTING, State.WAITING}:
            self.state = State.READY

    def drain(self) -> None:
        """The end was asked for."""
        self.state = State.DRAINING
