"""Which processes belong to whom, and how to end them.

What tests start carries two environment variables: the run's, and the host's that the process plays on. They are
inherited, also by what detaches itself, so that everything can be found again. Linux only: other systems have no /proc,
and find none.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.fleet.waiting import wait_until

RUN_VARIABLE = "MIYABI_TEST_RUN"
HOST_VARIABLE = "MIYABI_TEST_HOST"

_PROC = Path("/proc")


def alive(pid: int) -> bool:
    """Whether ``pid`` runs; a zombie doesn't, whether or not somebody reaps it."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return not _PROC.joinpath("self").exists() and _answers_signals(pid)
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def all_processes() -> list[int]:
    """The pids of every live process except our own."""
    if not _PROC.is_dir():
        return []
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if pid != os.getpid() and alive(pid)]


def environment_of(pid: int) -> dict[str, str]:
    """The environment that ``pid`` was started with; empty when it is gone or not ours."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in raw.split("\0") if "=" in line)


def command_line_of(pid: int) -> str:
    """The command line of ``pid``, for showing; empty when it is gone."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def marked_processes(variable: str, value: str) -> set[int]:
    """Every live process that was started with ``variable`` set to ``value``."""
    return {pid for pid in all_processes() if environment_of(pid).get(variable) == value}


def descendants(ancestors: Iterable[int]) -> set[int]:
    """Every live process below ``ancestors``."""
    children: dict[int, set[int]] = {}
    for pid in all_processes():
        try:
            stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            continue
        children.setdefault(int(stat.rpartition(")")[2].split()[1]), set()).add(pid)
    found: set[int] = set()
    todo = list(ancestors)
    while todo:
        below = children.get(todo.pop(), set()) - found
        found |= below
        todo.extend(below)
    return found


def end(pids: Iterable[int], number: signal.Signals = signal.SIGKILL, timeout: float = 10.0) -> None:
    """Send signal ``number`` to ``pids`` and wait until all of them are gone."""
    waiting = set(pids) - {os.getpid()}
    for pid in waiting:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            # A stopped process takes no signal but SIGKILL until it goes on.
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not any(alive(pid) for pid in waiting), timeout, what=f"the end of {sorted(waiting)}")


def end_all(find: Callable[[], set[int]]) -> None:
    """Kill what ``find`` finds until it finds nothing: a process may fork while it is being looked for."""
    for _ in range(20):
        found = find()
        if not found:
            return
        end(found)
    raise AssertionError(f"something keeps starting processes: {[command_line_of(pid) for pid in find()]}")
