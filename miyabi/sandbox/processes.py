"""Which processes belong to the sandbox, and how to end them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from miyabi.sandbox.fleet import HOST_VARIABLE, SANDBOX_VARIABLE, SandboxError

_PROC = Path("/proc")


def alive(pid: int) -> bool:
    """Whether ``pid`` runs; a zombie doesn't."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in {"Z", "X"}


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none when it is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def state_of(pid: int) -> str:
    """One letter, such as S (sleeping) or T (stopped); "" when it is gone."""
    return (stat_fields(pid) or [""])[0]


def parent_of(pid: int) -> int:
    """The pid of the parent; 0 when ``pid`` is gone."""
    return int((stat_fields(pid) or ["", "0"])[1])


def name_of(pid: int) -> str:
    """The short name of ``pid``; "" when it is gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def arguments_of(pid: int) -> list[str]:
    """The command line of ``pid``; none when it is gone."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(each) for each in raw.rstrip(b"\0").split(b"\0")]


def environment_of(pid: int) -> dict[str, str]:
    """The environment that ``pid`` was started with; empty when it is gone, not ours, or overwritten (sshd's)."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    return dict(os.fsdecode(each).split("=", 1) for each in raw.split(b"\0") if b"=" in each)


def all_processes() -> set[int]:
    """The pids of every live process but this one."""
    pids = {int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()}
    return {pid for pid in pids - {os.getpid()} if alive(pid)}


def processes_of(folder: Path, host: str | None = None) -> set[int]:
    """Every live process of the sandbox in ``folder``, or of one of its hosts, however it has detached itself."""
    own = [folder / "hosts" / host] if host else [*(folder / "hosts").glob("*")]
    roots = [status for each in own if (status := _status(each))]
    return {pid for pid in all_processes() if _belongs(pid, folder, host, roots)}


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _belongs(pid: int, folder: Path, host: str | None, roots: list[os.stat_result]) -> bool:
    root = _status(_PROC / str(pid) / "root")
    if root is not None and any(os.path.samestat(root, each) for each in roots):
        return True
    environment = environment_of(pid)
    if environment.get(SANDBOX_VARIABLE) == str(folder):
        return host is None or environment.get(HOST_VARIABLE) == host
    # sshd overwrites its environment with its title; but it keeps its log open.
    below = folder / "hosts" / host if host else folder / "hosts"
    return name_of(pid).startswith("sshd") and _writes_below(pid, below)


def _writes_below(pid: int, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(str(each.readlink()).startswith(f"{folder}/") for each in (_PROC / str(pid) / "fd").iterdir())
    return False


def below(pid: int) -> set[int]:
    """Every live process below ``pid``."""
    parents = {each: int(fields[1]) for each in all_processes() if (fields := stat_fields(each))}
    found: set[int] = set()
    todo = [pid]
    while todo:
        parent = todo.pop()
        children = {each for each, of in parents.items() if of == parent} - found
        found |= children
        todo.extend(children)
    return found


def end(pids: Iterable[int], seconds: float = 10.0) -> None:
    """Kill ``pids`` and wait until all of them are gone."""
    waiting = set(pids) - {os.getpid()}
    for pid in waiting:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in waiting), seconds, f"processes {sorted(waiting)} do not end")


def end_all(find: Callable[[], set[int]]) -> None:
    """Kill what ``find`` finds until it finds nothing: a process may fork while it is being looked for."""
    for _ in range(20):
        found = find()
        if not found:
            return
        end(found)
    left = "; ".join(" ".join(arguments_of(pid)) for pid in sorted(find()))
    raise SandboxError(f"something keeps starting processes in the sandbox: {left or 'they have ended just now'}")


def wait_for(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Return when ``holds`` is true, or raise ``SandboxError`` with ``what`` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SandboxError(f"{what} (waited {seconds:.0f} s)")
        time.sleep(0.02)


@contextmanager
def handled(handler: Callable[[int, object], None] | signal.Handlers, *numbers: signal.Signals) -> Iterator[None]:
    """Let ``handler`` have these signals meanwhile."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
