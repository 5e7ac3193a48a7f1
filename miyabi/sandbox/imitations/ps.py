"""imitation of ps for the sandbox: it shows this host's processes alone.

Usage: ps.py PLATFORM [what one gives to ps]
"""

import contextlib
import os
import pwd
import sys
import time
from collections.abc import Callable
from pathlib import Path

MARKS = [f"{name}={os.environ.get(name)}".encode() for name in ("MIYABI_SANDBOX", "MIYABI_SANDBOX_HOST")]
FULL = {
    "termux": "uid,pid,ppid,c,stime,tty,time,args",
    "macos": "uid,pid,ppid,c,stime,tty,time,args",
    "linux": "user,pid,ppid,c,stime,tty,time,args",
}
TITLES = {"args": "CMD", "comm": "COMMAND", "lstart": "STARTED", "tty": "TTY", "etime": "ELAPSED", "etimes": "ELAPSED"}
WORDS_OF_ONE_LETTER = {"o": "format", "p": "pids", "u": "user", "U": "user", "t": "tty", "C": "name"}


class Process:
    """One process, as /proc tells of it."""

    def __init__(self, pid: int) -> None:
        folder = Path("/proc", str(pid))
        head, _, tail = (folder / "stat").read_text(errors="replace").rpartition(")")
        self.pid = pid
        self.comm = head.partition("(")[2]
        fields = tail.split()
        self.state, self.ppid, self.pgid, self.sid = fields[0], int(fields[1]), int(fields[2]), int(fields[3])
        self.seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self.since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        self.vsz, self.rss = int(fields[20]) // 1024, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
        line = (folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
        shown = os.fsdecode(bytes(each if each > 31 else ord("?") for each in line))
        self.args = shown or f"[{self.comm}]" + " <defunct>" * (self.state == "Z")
        self.uid = folder.stat().st_uid

    def is_here(self) -> bool:
        """Whether it runs on this host: below the host's own root, or with the host's marks in its environment."""
        folder = Path("/proc", str(self.pid))
        with contextlib.suppress(OSError):
            if not os.path.samestat((folder / "root").stat(), Path("/").stat()):
                return False
        environment = b""
        with contextlib.suppress(OSError):
            environment = (folder / "environ").read_bytes()
        marked = all(mark in environment.split(b"\0") for mark in MARKS)
        return marked or (self.comm.startswith("sshd") and self.logs())

    def logs(self) -> bool:
        """Whether it writes this host's log of sshd; sshd overwrites its environment with its title."""
        with contextlib.suppress(OSError):
            log = Path(os.environ["MIYABI_SANDBOX_LOG"])
            return any(each.readlink() == log for each in Path(f"/proc/{self.pid}/fd").iterdir())
        return False


def clock(seconds: float) -> str:
    """Seconds as ``[[days-]hours:]minutes:seconds``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{rest:02}"
    return f"{hours:02}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def started(process: Process, platform: str) -> float:
    """When it was started; Android denies what one would have to know for that."""
    return 0 if platform == "termux" else time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + process.since_boot


def user(uid: int) -> str:
    """The name of a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def fields(platform: str) -> dict[str, Callable[[Process], str]]:
    """What each column shows."""

    def since(process: Process) -> float:
        return time.time() - started(process, platform)

    stime = "%Y" if platform == "termux" else "%H:%M"
    shown: dict[str, Callable[[Process], str]] = {
        "pid": lambda process: str(process.pid),
        "ppid": lambda process: str(process.ppid),
        "pgid": lambda process: str(process.pgid),
        "sid": lambda process: str(process.sid),
        "uid": lambda process: str(process.uid),
        "user": lambda process: user(process.uid),
        "comm": lambda process: process.comm,
        "args": lambda process: process.args,
        "state": lambda process: process.state,
        "etime": lambda process: clock(since(process)),
        "etimes": lambda process: str(int(since(process))),
        "lstart": lambda process: time.ctime(started(process, platform)),
        "stime": lambda process: time.strftime(stime, time.localtime(started(process, platform))),
        "tty": lambda _: "?",
        "time": lambda process: "00:" + clock(process.seconds),
        "c": lambda _: "0",
        "rss": lambda process: str(process.rss),
        "vsz": lambda process: str(process.vsz),
    }
    names = {"command": "args", "cmd": "args", "stat": "state", "ruser": "user", "ucomm": "comm", "start": "stime"}
    return shown | {other: shown[name] for other, name in names.items()}


def options(words: list[str]) -> dict[str, list[str]]:
    """What was asked for, by its long name; letters without a value count as themselves."""
    asked: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        letters = word.removeprefix("-")
        for at, letter in enumerate(letters):
            if letter in WORDS_OF_ONE_LETTER and word.startswith("-"):
                asked.setdefault(WORDS_OF_ONE_LETTER[letter], []).append(letters[at + 1 :] or next(rest, ""))
                break
            asked.setdefault(letter, [])
    return asked


def listed(asked: dict[str, list[str]]) -> list[Process]:
    """The processes to show."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                process = Process(int(entry.name))
                if process.is_here():
                    found.append(process)
    here = {process.pid for process in found}
    for process in found:
        # Whose parent is gone belongs to init, whoever it is that plays init on this machine.
        process.ppid = process.ppid if process.ppid in here else 1
    if "pids" in asked:
        chosen = {int(each) for each in ",".join(asked["pids"]).replace(",", " ").split()}
        return [process for process in found if process.pid in chosen]
    if not asked.keys() & {"A", "e", "a", "x", "user"}:
        return [process for process in found if process.sid == os.getsid(0)]
    return found


def main(platform: str, words: list[str]) -> int:
    """Print the list; the answer is the exit code."""
    asked = options(words)
    usual = FULL[platform] if "f" in asked or "u" in asked else "pid,tty,time,comm"
    columns = [each for text in asked.get("format", [usual]) for each in text.replace(",", " ").split()]
    shown = fields(platform)
    if unknown := [each for each in columns if each.partition("=")[0] not in shown]:
        sys.stderr.write(f"ps: {unknown[0]}: keyword not found\n")
        return 1
    names = [each.partition("=")[0] for each in columns]
    processes = sorted(listed(asked), key=lambda process: process.pid)
    rows = [[shown[name](process) for name in names] for process in processes]
    if not all(each.endswith("=") for each in columns):
        rows.insert(0, [TITLES.get(name, name.upper()) for name in names])
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(len(names))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        sys.stdout.buffer.write(os.fsencode(" ".join([*cells, row[-1]]) + "\n"))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
