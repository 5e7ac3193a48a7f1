"""sshd's own folder /run/sshd, which sshd insists on when it is started by root."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/run/sshd")
_OURS = "made-by-miyabi-tests"


@contextlib.contextmanager
def privilege_separation_folder(folder: Path = FOLDER) -> Iterator[None]:
    """Keep ``folder`` there; if tests made it, the last of them to leave removes it.

    Each holds a shared lock on the folder, so that several test runs on one machine don't remove it under each other.
    """
    if os.geteuid() != 0:
        yield
        return
    lock = _enter(folder)
    try:
        yield
    finally:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (folder / _OURS).exists():
                (folder / _OURS).unlink()
                folder.rmdir()
        os.close(lock)


def _enter(folder: Path) -> int:
    """Make ``folder`` if need be, and hold a shared lock on it; the answer is the lock's file descriptor."""
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o755)
            (folder / _OURS).touch()
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_SH)
        # Another run may have removed the folder between the two lines above.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), folder.stat()):
                return lock
        os.close(lock)
