"""The file of metrics that node_exporter's textfile collector reads."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from miyabi.errors import MonitoringError

# Who scrapes is another user.
_MODE = 0o644


def write_textfile(path: Path, text: str) -> None:
    """Put metrics in their place at once: a scrape sees all of them, or those that were there before.

    + path: its name must end in ``.prom``, as node_exporter wants it; its folder has to be there

    Raises ``MonitoringError`` with what is wrong.
    """
    if path.suffix != ".prom":
        raise MonitoringError(f"{path}: node_exporter reads only files whose names end in .prom: name it so")
    # A name that the collector does not read, in the same folder: only there a rename is one step.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(unfinished, flags, _MODE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise MonitoringError(f"{path}: the metrics cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
