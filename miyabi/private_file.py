"""Files that are ours alone: written at once and for their owner, and not believed when others could write them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from miyabi.whole_file import write_whole

_LARGEST = 16_000_000


def read_private(path: Path) -> str:
    """A file's text.

    Raises ``OSError`` when it cannot be read, ``ValueError`` when others could have written it, or it is no text.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ValueError("no file of ours")
        for each in (status, path.parent.lstat()):
            if each.st_uid != os.geteuid() or each.st_mode & 0o022:
                raise ValueError("others may write it")
        return file.read().decode()


def write_private(path: Path, text: str) -> None:
    """Put a file in its place at once, for its owner alone: others see all of it, or what was there before.

    Its folder is made when it is missing, and closed to others. Raises ``OSError`` when that cannot be.
    """
    private_folder(path.parent)
    write_whole(path, text)


def private_folder(folder: Path) -> None:
    """Make a folder that nobody else may look into. Raises ``OSError`` when it is somebody else's."""
    for each in (folder.parent, folder):
        # What is made on the way is closed as well: mkdir would only make the last one so.
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(1, "it is somebody else's", str(folder))
    if status.st_mode & 0o077:
        folder.chmod(0o700)
