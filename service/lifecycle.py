"""Whether the service is starting, ready or draining: asked by health checks, set by start and signals."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """In this order, each once."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Lifecycle:
    """The state of one process."""

    def __init__(self) -> None:
        self.state = State.STARTING

    @property
    def draining(self) -> bool:
        """Whether the process is on its way out: it serves on, but asks callers to leave."""
        return self.state is State.DRAINING

    def started(self) -> None:
        """Every model is loaded and warm."""
        if self.state is State.STARTING:
            self.state = State.READY

    def drain(self) -> None:
        """The end was asked for."""
        self.state = State.DRAINING
