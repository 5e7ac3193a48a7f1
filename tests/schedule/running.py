"""``miyabi run`` on a machine, with an imitation of pyinfra that does what a test wants."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet import processes
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Finished, Machine
from tests.fleet.waiting import wait_until

TABLE = """
--> Results:
    Operation     Hosts   Success   Error   No Change
    Assess        2       -         -       2
    Grand total   {hosts}       {success}       {error}       {no_change}
"""

# Says what it is, and waits until a file `go` lets it end.
WAITING = """
import os, pathlib, time
pathlib.Path("pid").write_text(str(os.getpid()))
while not pathlib.Path("go").exists():
    time.sleep(0.01)
"""


@dataclass(frozen=True, slots=True)
class Clone:
    """A folder that passes for a clone of the repository, whose pyinfra is an imitation."""

    machine: Machine
    folder: Path

    @classmethod
    def build(cls, machine: Machine, pyinfra: str = "") -> Clone:
        """A clone whose ``python -m pyinfra`` is this piece of Python."""
        clone = cls(machine, machine.root / "clone")
        for name in ("deploys", "pyinfra"):
            (clone.folder / name).mkdir(parents=True)
        (clone.folder / "deploys" / "recover.py").touch()
        (clone.folder / "pyinfra" / "__init__.py").touch()
        clone.plays(pyinfra)
        machine.environment["PYTHONPATH"] = str(REPOSITORY)
        return clone

    def plays(self, pyinfra: str) -> None:
        """Let the imitation do something else from now on."""
        (self.folder / "pyinfra" / "__main__.py").write_text(f"# imitation of pyinfra\n{pyinfra}")

    def run(self, *arguments: str, timeout: float = 60.0) -> Finished:
        """``miyabi run ARGUMENTS``, to its end."""
        return self.machine.run(sys.executable, "-m", "miyabi", "run", *arguments, cwd=self.folder, timeout=timeout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``miyabi run ARGUMENTS``, in the background."""
        return subprocess.Popen(
            [sys.executable, "-m", "miyabi", "run", *arguments],
            env=self.machine.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_waiting(self, *arguments: str) -> tuple[subprocess.Popen[str], int]:
        """A run under way whose pyinfra waits, and that pyinfra's pid."""
        self.plays(WAITING)
        (self.folder / "pid").unlink(missing_ok=True)
        started = self.start(*arguments)
        pid = wait_until(lambda: self._noted("pid"), what="pyinfra runs")
        return started, pid

    def _noted(self, name: str) -> int:
        path = self.folder / name
        return int((path.read_text() if path.exists() else "") or 0)

    @property
    def state(self) -> Path:
        """Where runs keep what they keep."""
        return self.machine.home / ".local" / "state" / "miyabi"

    @property
    def lines(self) -> list[str]:
        """The lines of all runs, without the time that each begins with."""
        path = self.state / "runs.log"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def record(self) -> Any:
        """What the lock says of its holder."""
        return json.loads((self.state / "run.lock").read_text())

    def rewrite_record(self, **values: object) -> None:
        """Change what the lock says of its holder, in place."""
        text = json.dumps(self.record | values).ljust(511) + "\n"
        with (self.state / "run.lock").open("r+") as file:
            file.write(text)


def ends(process: subprocess.Popen[str], timeout: float = 20.0) -> tuple[int, str]:
    """How a run in the background ended, and what it said."""
    said, _ = process.communicate(timeout=timeout)
    return process.returncode, said


def kill(process: subprocess.Popen[str]) -> None:
    """Send the signal that nobody can handle, and see it dead."""
    process.kill()
    ends(process)


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    return not processes.alive(pid)
