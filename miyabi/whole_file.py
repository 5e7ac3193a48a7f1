"""Files that are put in their place at once: others see all of one, or what was there before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# Characters of a name that are kept in that of its unfinished file: the longest name may be no longer.
_KEPT = 80


def write_whole(path: Path, text: str, *, mode: int = 0o600, errors: str = "strict") -> None:
    """Write a file that is seen whole or not at all, also when this process or its machine ends meanwhile.

    + path: in a folder that is there
    + mode: who may do what with it, whatever the umask is
    + errors: what becomes of what UTF-8 has not, as in ``str.encode``

    Raises ``OSError`` when it cannot be written; then what was there before is as it was.
    """
    unfinished = path.with_name(f".{path.name[:_KEPT]}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors=errors) as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
