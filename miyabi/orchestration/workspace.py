"""What is seen of a workspace in which an orchestration keeps its state. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from miyabi.state import Observed

# session-*.json: a session's state; session-*.json.lock: who writes it now, while somebody does.
STATE_FOLDER = ".claude/state"
# *.jsonl: what happened, one event a line.
EVENTS_FOLDER = ".claude/state/events"
# What this program keeps of all that:
#   backups/session-X.json/STAMP.json    the newest N states that were valid, or were replaced
#   backup-STAMP/state/...               a whole backup that a human asked for
#   archive/session-X.json.jsonl         everything that was taken out of a state, one thing a line
#   quarantine/session-X.json.STAMP      a file out of which nothing valid could be made
RECOVERY_FOLDER = ".claude/recovery"

# In the name of a backup of what was replaced, which may have been damaged.
REPLACED = ".replaced"

# Seconds by which a host tells the beginning of a process inexactly.
_CLOCK_TICK = 2.0

# alive: its process runs. gone: it does not, or the pid is another process's by now. unknown: the lock does not say.
Holder = Literal["alive", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class SeenFile(Observed):
    """A file of a workspace.

    + name: below its folder
    + size: bytes
    + changed_at: seconds since the epoch on the host
    + digest: SHA-256 in hexadecimal digits; "" when it was not asked, or the file may not be read
    + content: None when it was not asked, because the digest is known, or when it is too large to travel
    + is_own: whether it is the user's and a plain file; what is not is never written
    """

    name: str
    size: int
    changed_at: float
    digest: str = ""
    content: bytes | None = None
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class SeenLock(Observed):
    """Who holds a session's file.

    + name: of the session's file
    + pid: None when the lock does not say
    + since: when the lock was made, seconds since the epoch on the host
    """

    name: str
    holder: Holder
    pid: int | None = None
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class SeenProcess(Observed):
    """A process that runs: its pid, and when it began, in seconds since the epoch on the host."""

    pid: int
    began_at: float


@dataclass(frozen=True, slots=True)
class SeenWorkspace(Observed):
    """A workspace as one look of the probe saw it.

    + path: absolute on the host; as asked where ``trouble`` says that it is not there
    + now: seconds since the epoch on the host
    + trouble: why nothing could be seen, such as "may not be read"; "" when something was
    + sessions, events: the files
    + backups: of each session's file, the newest first; their names are those below ``backups/`` and ``backup-*/``
    + asked: the pids that were asked for
    + running: those of them that run
    """

    path: str
    now: float
    trouble: str = ""
    sessions: tuple[SeenFile, ...] = ()
    events: tuple[SeenFile, ...] = ()
    backups: tuple[SeenFile, ...] = ()
    locks: tuple[SeenLock, ...] = ()
    asked: tuple[int, ...] = ()
    running: tuple[SeenProcess, ...] = ()

    def is_gone(self, pid: int, named_at: float) -> bool | None:
        """Whether the process that was meant by ``pid`` has ended; None when that is unknown.

        + named_at: when what names the pid was written: a process that began later is another one
        """
        if pid not in self.asked:
            return None
        began = next((each.began_at for each in self.running if each.pid == pid), None)
        return began is None or began > named_at + _CLOCK_TICK
