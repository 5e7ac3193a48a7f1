"""The file of metrics that node_exporter's textfile collector reads."""

from __future__ import annotations

from pathlib import Path

from miyabi.errors import MonitoringError
from miyabi.whole_file import write_whole

# Who scrapes is another user.
_MODE = 0o644


def write_textfile(path: Path, text: str) -> None:
    """Put metrics in their place at once: a scrape sees all of them, or those that were there before.

    + path: its name must end in ``.prom``, as node_exporter wants it; its folder has to be there

    Raises ``MonitoringError`` with what is wrong.
    """
    if path.suffix != ".prom":
        raise MonitoringError(f"{path}: node_exporter reads only files whose names end in .prom: name it so")
    try:
        # Its unfinished file has a name that the collector does not read.
        write_whole(path, text, mode=_MODE)
    except OSError as error:
        raise MonitoringError(f"{path}: the metrics cannot be written: {error.strerror}") from None
