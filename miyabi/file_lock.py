"""Be the only process that changes something: a lock on a file, which ends with its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 2.0
_POLL = 0.01


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock in the file ``path``, which is made when it is missing.

    Raises ``TimeoutError`` when another process holds it for 2 seconds, ``OSError`` when the file cannot be used.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    give_up = time.monotonic() + _PATIENCE
    try:
        while not _try(descriptor):
            if time.monotonic() >= give_up:
                raise TimeoutError(errno.ETIMEDOUT, f"locked by another process for {_PATIENCE:g} s", str(path))
            time.sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
