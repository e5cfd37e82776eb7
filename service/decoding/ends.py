"""How the processes that decode fail, and how long their starts and ends may take."""

from __future__ import annotations

START_S = 60.0
"""Time for the template to load the decoders, or for one fork; a machine may be slow or busy."""
END_S = 5.0
"""Time for the kernel to take a killed process down, and for the news of it to come."""


class WorkerEnded(Exception):
    """The worker has ended before it answered.

    Attributes:
        has_read: it had taken the order.
        reason: why it ended: what it was killed for, `crashed` at the order, or `lost`: before it, or nobody knows how.
        how: the same for the log.
    """

    def __init__(self, has_read: bool, reason: str, how: str) -> None:
        super().__init__(how)
        self.has_read, self.reason, self.how = has_read, reason, how


class TemplateEnded(Exception):
    """No worker can be forked: their template did not start, or has ended."""
