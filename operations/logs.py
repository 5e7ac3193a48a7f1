"""Logs that grow: rotated, compressed, and the old ones removed."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import StringCommand

from facts.logs import SUBJECT, logs_section
from facts.observation import Unknown, ask, forget
from miyabi.host_paths import names_in_words, refuse_count, refuse_path
from miyabi.limits import size
from miyabi.rotation import Logs, not_rotated
from miyabi.rotation_script import rotation_script
from miyabi.units import parse_size
from operations.gate import operation, permission
from operations.upkeep import failing, proof, warn

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

# Seconds for all logs of one path: compressing a large one takes its time.
_PATIENCE = 600


@operation()
def rotated(path: str, max_size: float | str = 100_000_000, keep: int = 7) -> Generator[PyinfraCommand]:
    """Ensure that no log is larger than a size: what it holds moves into a compressed file beside it.

    + path: a path or a pattern with ``*``, ``?`` and ``[..]``; may begin with ``~`` or ``$NAME`` of the host
    + max_size: bytes, or text such as ``100MB``, from which a log is rotated; 0 is every log that is not empty
    + keep: how many old ones of each log stay; with 0 what a log holds is removed

    An old log is called ``NAME.20260131T235959Z.gz``, by the time in UTC; it has no ``.gz`` where the host has no gzip.
    The log itself stays the file that it was, with its mode and its owner, and what writes to it need not notice. Where
    the host's file system and its ``fallocate`` can take a range out of a file (ext4 and XFS on Linux), no byte is lost
    however busy the writer is, and the log keeps its last block of some KiB as long as it is being written. Elsewhere
    (tmpfs, btrfs, macOS, most phones) the log is copied and truncated: lines that are written in the microseconds
    between (milliseconds where the host has neither perl nor python3) are lost. The old logs and the log, one after the
    other, are the whole; a cut does not look for the ends of lines.

    A link counts as the log that it leads to. Logs of other users are told of and left alone.

    **Example:**

    .. code:: python

        from operations import logs

        logs.rotated(name="Rotate the agents' logs", path="~/.miyabi/logs/*.log", max_size="100MB", keep=7)
    """
    subject = f"log {path}"
    reason = refuse_path(path) or refuse_count("keep", keep)
    try:
        most = parse_size(max_size)
    except (TypeError, ValueError) as error:
        reason, most = reason or f"max_size is {max_size!r}, and must be {error}", 0
    if reason is not None:
        yield from failing(host, subject, reason)
        return
    section = logs_section(path, most)
    seen = ask(host, section)
    if isinstance(seen, Unknown):
        yield from failing(host, subject, seen.reason)
        return
    if not seen.over and not seen.unfinished:
        _told_of_foreign(seen, subject)
        host.noop(f"no log of {path} has reached {size(most)}")
        return
    did = _in_words(seen)
    if not (yield from permission(host, subject, "tidy", "a log has reached its size")):
        return
    host.log(f"{path}: {did}")
    if host.state.is_executing:
        forget(host, SUBJECT)
    yield StringCommand(rotation_script(path, most, keep), _timeout=_PATIENCE)
    yield proof(host, subject, section, partial(not_rotated, seen), did=did, seconds=1)


def _in_words(seen: Logs) -> str:
    if not seen.over:
        return "finished an interrupted rotation"
    names = names_in_words(PurePosixPath(log.path).name for log in seen.over)
    return f"rotated {size(sum(log.size for log in seen.over))}: {names}"


def _told_of_foreign(seen: Logs, subject: str) -> None:
    if seen.foreign:
        warn(host, subject, f"of another user, and left alone: {names_in_words(seen.foreign)}")
