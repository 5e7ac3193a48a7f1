"""What the lock of a session's file says, and who holds it. Pure.

A lock is ``session-X.json.lock``: a file that says ``PID``, ``PID@START`` or JSON with a pid, a link whose target is
one of these, or anything else, of which nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from json import loads
from typing import Any

from miyabi.orchestration.values import first, moment
from miyabi.orchestration.workspace import Holder, SeenProcess

# Seconds by which the beginning of a process may be told too late.
_INEXACT = 2.0

_PIDS = ("pid", "process_id", "holder_pid", "owner_pid", "locked_by_pid")
_SINCE = ("acquired_at", "started_at", "locked_at", "created_at", "timestamp", "since", "start_time", "start")
_HOSTS = ("host", "hostname")
_PLAIN = re.compile(r"(?:pid[ =:]*)?([0-9]{1,9})(?:@([^ ]{1,40}))?")


@dataclass(frozen=True, slots=True)
class Lock:
    """What a lock says.

    + pid: None when it says none
    + start: of that process, exactly as its host tells it; "" when it does not say
    + since: when it was made; None when it does not say
    + host: where its holder runs; "" when it does not say
    """

    pid: int | None = None
    start: str = ""
    since: float | None = None
    host: str = ""


def read_lock(text: str) -> Lock:
    """What the lock says whose content, or whose link's target, is ``text``."""
    text = text.strip()
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return Lock(_pid(int(plain[1])), plain[2] or "")
    try:
        told = loads(text)
    except (ValueError, RecursionError):
        return Lock()
    return _told(told) if isinstance(told, dict) else Lock()


def _told(told: Mapping[str, Any]) -> Lock:
    pid = first(told, _PIDS)
    if isinstance(pid, str) and pid.isascii() and pid.isdigit() and len(pid) <= 9:
        pid = int(pid)
    host = first(told, _HOSTS)
    start = told.get("start")
    is_ours = told.get("by") == "miyabi" and isinstance(start, str)
    return Lock(
        _pid(pid) if isinstance(pid, int) and not isinstance(pid, bool) else None,
        str(start) if is_ours else "",
        None if is_ours else next((at for key in _SINCE if (at := moment(told.get(key))) is not None), None),
        host if isinstance(host, str) else "",
    )


def _pid(value: int) -> int | None:
    return value if 0 < value < 10_000_000 else None


def holder_of(
    lock: Lock, written_at: float, running: Mapping[int, SeenProcess] | None, starts: Mapping[int, str], host: str
) -> Holder:
    """Whether who made a lock still lives.

    + written_at: when the lock's file was written
    + running: the processes of those pids that were asked for and run; None when that is unknown
    + starts: the exact starts of these, where the host tells them
    + host: the name of the host that was looked at: the pids of another one mean nothing here
    """
    if lock.pid is None or running is None or (lock.host and not _is_same(lock.host, host)):
        return "unknown"
    process = running.get(lock.pid)
    if process is None:
        return "gone"
    if lock.start and lock.pid in starts:
        return "alive" if starts[lock.pid] == lock.start else "gone"
    # Who began after the lock was written has not made it.
    return "gone" if process.began_at > written_at + _INEXACT else "alive"


def _is_same(one: str, other: str) -> bool:
    return one.partition(".")[0].casefold() == other.partition(".")[0].casefold()
