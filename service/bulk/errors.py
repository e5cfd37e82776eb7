"""What ends a bulk job: the source, the output or the engine. What is wrong with one row only stands in that row."""


class BulkError(Exception):
    """Base of what ends a job; the message says what to do."""


class OptionError(BulkError):
    """What was asked for can't be, whatever runs."""


class SourceError(BulkError):
    """The source can't be read, or not as asked."""


class StoreError(BulkError):
    """The output belongs to another job, or can't be written."""


class EngineGone(BulkError):
    """The engine or the service did not answer for too long, or never will."""
