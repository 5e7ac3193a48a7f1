"""One run at a time: a lock that no death, sleep or full disk leaves behind.

The kernel holds the lock (flock), so it ends with its holder, however that ends. Beside it stands who holds it and
until when: a holder that is past its deadline, such as one that a sleeping laptop has stopped midway, is ended and
replaced; so is what a dead holder had started and nobody watches over any more.

Only a process that is proved to be the recorded one is ever ended: by its pid and the moment of its start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

# Seconds for whoever is asked to end, before it is made to.
_PATIENCE = 5.0
_POLL = 0.05

# The record is written over the one before it, at the same length: that needs no room on the disk.
_RECORD_LENGTH = 512

# States of processes that run nothing any more.
_DEAD = frozenset("ZX")

# It must not stand still while the machine sleeps, nor jump when the clock on the wall is set: on Linux that is
# BOOTTIME, on macOS MONOTONIC (which on Linux does stand still).
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds on a clock that goes on while the machine sleeps, and that nobody sets."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock.

    + pid, identity: the process, and the moment of its start in the kernel's own words; None when that is unknown
    + started: when its run began, for humans
    + until: when others may end it, on the clock of ``elapsed``
    + group, group_identity: the process group that it has started, by its leader; None when it has none
    """

    pid: int
    identity: str | None
    started: str
    until: float
    group: int | None = None
    group_identity: str | None = None


class Lock:
    """The lock in a file.

    + left_behind: after ``take``: the holder before, when its run has come to no end
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left_behind: Holder | None = None
        self._descriptor: int | None = None
        self._holder: Holder | None = None

    def take(self, started: str, seconds: float) -> Holder | None:
        """Take the lock for ``seconds``; None when it is ours, else who has it.

        Raises ``OSError`` when the file cannot be used.
        """
        me = Holder(os.getpid(), identity_of(os.getpid()), started, elapsed() + seconds)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        holder = self._try(me)
        if holder is None or holder.until > elapsed():
            return holder
        with _alone(self.path.parent) as alone:
            # Somebody else is taking it over just now.
            return self._take_over(me) if alone else holder

    def watch_over(self, group: int) -> None:
        """Note that the holder has started this process group."""
        if self._holder is not None:
            self._holder = replace(self._holder, group=group, group_identity=identity_of(group))
            self._write(self._holder)

    def release(self) -> None:
        """Give the lock back: the run has come to its end."""
        if self._descriptor is not None:
            self._write(None)
            os.close(self._descriptor)
            self._descriptor = self._holder = None

    def _try(self, me: Holder) -> Holder | None:
        """Take the lock if it is free; else the holder, one without a deadline when there is no record of it."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found = _read(descriptor)
                os.close(descriptor)
                return found or Holder(0, None, "", float("inf"))
            except OSError:
                os.close(descriptor)
                raise
            if _is_file(descriptor, self.path):
                break
            # It was replaced between the two calls.
            os.close(descriptor)
        self._descriptor, self._holder = descriptor, me
        self.left_behind = self.left_behind or _read(descriptor)
        if self.left_behind is not None:
            end_group(self.left_behind.group, self.left_behind.group_identity)
        self._write(me)
        return None

    def _take_over(self, me: Holder) -> Holder | None:
        """End a holder that is past its deadline, and take the lock; else who has it."""
        holder = None
        for number in (signal.SIGTERM, signal.SIGKILL):
            holder = self._try(me)
            if holder is None or holder.until > elapsed() or not _is_alive(holder.pid, holder.identity):
                return holder
            _signal(os.kill, holder.pid, number)
            give_up = time.monotonic() + _PATIENCE
            while time.monotonic() < give_up:
                time.sleep(_POLL)
                if self._try(me) is None:
                    return None
        # Not even SIGKILL ends it now (it hangs in the kernel): it keeps a lock on a file that is no longer there, and
        # will be dead before it can do anything.
        self.left_behind = holder
        self.path.unlink(missing_ok=True)
        return self._try(me)

    def _write(self, holder: Holder | None) -> None:
        text = json.dumps(None if holder is None else asdict(holder)).encode()
        # Without a record it is a lock all the same; only nobody can tell when it is overdue.
        with contextlib.suppress(OSError):
            if self._descriptor is not None:
                os.pwrite(self._descriptor, text.ljust(_RECORD_LENGTH - 1) + b"\n", 0)


def identity_of(pid: int) -> str | None:
    """When a process was started, in the kernel's words; None when it does not run, or that cannot be told."""
    fields = _fields(pid)
    if fields is None:
        return None if Path("/proc/self/stat").exists() else _identity_by_ps(pid)
    boot = ""
    with contextlib.suppress(OSError):
        # Android denies it; there a record of another boot is told apart by the moment alone.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None if fields[0] in _DEAD else f"{boot}:{fields[19]}"


def end_group(group: int | None, identity: str | None, reap: Callable[[], object] = lambda: None) -> None:
    """End a process group, if its leader still is the process of that identity: first gently, then not.

    + reap: asks how the leader ended, where it is our own child
    """
    if group is None or not _is_alive(group, identity):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        # One that is stopped would not even notice.
        if not _signal(os.killpg, group, number) or not _signal(os.killpg, group, signal.SIGCONT):
            return
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up:
            reap()
            if not _has_members(group):
                return
            time.sleep(_POLL)


def _has_members(group: int) -> bool:
    """Whether anything but zombies is left in a group."""
    if not Path("/proc/self/stat").exists():
        return _signal(os.killpg, group, 0)
    for entry in Path("/proc").iterdir():
        fields = _fields(entry.name) if entry.name.isdigit() else None
        if fields is not None and fields[2] == str(group) and fields[0] not in _DEAD:
            return True
    return False


def _fields(pid: int | str) -> list[str] | None:
    """What Linux tells of a process, from its state on (proc(5)); None when there is no such process, or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split() or None


def _identity_by_ps(pid: int) -> str | None:
    """As macOS tells it, to the second."""
    try:
        done = subprocess.run(  # noqa: S603 - a number is all that is put in
            ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - it is the system's own, wherever that has it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() or None


def _is_alive(pid: int, identity: str | None) -> bool:
    return pid > 1 and identity is not None and identity_of(pid) == identity


def _signal(send: Callable[[int, int], None], target: int, number: int) -> bool:
    """Whether the signal could be sent."""
    try:
        send(target, number)
    except OSError:
        return False
    return True


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> Holder | None:
    """The record; None when the last run came to its end, or the record makes no sense."""
    try:
        told = json.loads(os.pread(descriptor, _RECORD_LENGTH, 0))
        holder = Holder(**told)
        return replace(holder, pid=int(holder.pid), until=float(holder.until), started=str(holder.started))
    except (OSError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else is in here for this folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
