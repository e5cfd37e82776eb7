"""Small files that are replaced while the service runs: read whole, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 4 * 1024 * 1024
"""Key files and bundles of authorities have some hundred kilobytes at most."""


def read_regular(path: Path) -> bytes:
    """What a file holds. A pipe or a device, whose opening or reading may last for ever, is refused.

    Raises:
        OSError: it can't be read, is no regular file, or is larger than `MOST_BYTES`; has `filename` and `strerror`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"more than {MOST_BYTES} bytes", str(path))
    return data
