"""One run of the literal command, line by line."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from miyabi.sandbox.fleet import Sandbox, SandboxError
from miyabi.sandbox.processes import below, end

CLONE = Path(__file__).resolve().parents[2]

# Seconds that a run may take at most.
LONGEST = 100

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OPERATION = re.compile(r"^--> Starting operation: (.+?) *$")
_HOST = re.compile(r"^ +\[([^\]]+)\] +(.*?) *$")
_SUMMARY = "--> Recovery summary:"
_RESULT = re.compile(r"^(No changes|Skipped|Success|Error)")


@dataclass(slots=True)
class HostProgress:
    """How far a host is.

    + at: the operation that it is in, or was in last
    + said: what was done there, in pyinfra's words
    + changed: the operations that changed something or failed, with the seconds they took
    + whole_after: when the last of these ended, in seconds since the run began
    + outcome: its line of the summary
    """

    at: str = "connecting"
    said: list[str] = field(default_factory=list)
    changed: dict[str, float] = field(default_factory=dict)
    failed: bool = False
    whole_after: float = 0.0
    outcome: str = ""


@dataclass(slots=True)
class Progress:
    """How far a run is, read from what pyinfra prints.

    + operation: the one that is under way
    + summarises: whether the summary has begun
    """

    hosts: dict[str, HostProgress]
    operation: str = "connecting"
    began: float = field(default_factory=time.monotonic)
    _since: float = 0.0
    summarises: bool = False

    def feed(self, line: str, now: float) -> None:
        """Take in a line that was printed at ``now``, a moment of the monotonic clock."""
        line = _COLOURS.sub("", line.rstrip("\r\n"))
        if found := _OPERATION.match(line):
            self.operation, self._since = found[1], now
            for host in self.hosts.values():
                host.at = self.operation
        elif line.startswith(_SUMMARY):
            self.summarises = True
        elif (found := _HOST.match(line)) and found[1] in self.hosts:
            self._of_host(self.hosts[found[1]], found[2], now)

    def _of_host(self, host: HostProgress, text: str, now: float) -> None:
        if self.summarises:
            host.outcome = text
        elif result := _RESULT.match(text):
            host.at = f"{self.operation}: done"
            if result[1] in {"Success", "Error"}:
                host.changed[self.operation] = now - self._since
                host.whole_after = now - self.began
            host.failed = host.failed or (result[1] == "Error" and "ignored" not in text)
        elif self._since:
            host.said.append(text)


def run(sandbox: Sandbox, progress: Progress) -> Generator[str | int]:
    """Run the literal command from the clone; yield its lines as they come, and its exit code at the end.

    + progress: is fed with the lines
    """
    command = [_pyinfra(), str(sandbox.inventory), "deploys/recover.py", "-y"]
    process = subprocess.Popen(  # noqa: S603 - the documented command
        command,
        cwd=CLONE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    # A run that does not end is ended: what it would still print must not be waited for.
    deadline = signal.signal(signal.SIGALRM, lambda *_: _too_long(process))
    signal.alarm(LONGEST)
    try:
        for line in process.stdout or ():
            progress.feed(line, time.monotonic())
            yield line.rstrip("\n")
        yield process.wait()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, deadline)
        with contextlib.suppress(SandboxError):
            end({process.pid, *below(process.pid)})
        process.wait()
        if process.stdout:
            process.stdout.close()


def _too_long(process: subprocess.Popen[str]) -> None:
    end({process.pid, *below(process.pid)})


def _pyinfra() -> str:
    if not (CLONE / "deploys" / "recover.py").is_file():
        raise SandboxError(f"{CLONE} is no clone of the repository: run make demo in one")
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which("pyinfra", path=folders)
    if found is None:
        raise SandboxError("pyinfra is not installed: make setup")
    return found
