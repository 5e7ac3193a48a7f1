"""A pretended machine: a folder with a HOME in it, an environment of its own, and a way to run commands there."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet import processes
from tests.fleet.leaks import TestRun


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended.

    + code: its exit code; minus the signal's number when a signal ended it
    + seconds: how long it took
    """

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def output(self) -> str:
        """Both outputs, stdout first."""
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of its own as far as HOME, tmux and temp files go; processes and network are shared.

    + name: what the fleet calls it
    + root: everything of it is in here
    + environment: the whole environment of what runs there; nothing comes from the developer's own session
    """

    name: str
    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def build(cls, run: TestRun, name: str, environment: dict[str, str] | None = None) -> Machine:
        """A new machine in a new folder of ``run``; ``environment`` adds to the usual variables, or replaces them."""
        root = run.new_folder(name)
        for folder, mode in (("home", 0o755), ("tmux", 0o700), ("tmp", 0o700)):
            (root / folder).mkdir(mode=mode)
        return cls(name, root, run.environment() | _usual_environment(root) | (environment or {}))

    @property
    def home(self) -> Path:
        """Its HOME."""
        return self.root / "home"

    def run(self, *command: str, cwd: Path | None = None, timeout: float = 60.0, stdin: str = "") -> Finished:
        """Run ``command`` there, in HOME unless ``cwd`` is given; one that takes ``timeout`` seconds is killed."""
        program = shutil.which(command[0], path=self.environment["PATH"])
        assert program is not None, f"{command[0]} is not installed"
        start = time.monotonic()
        with subprocess.Popen(
            [program, *command[1:]],
            env=self.environment,
            cwd=cwd or self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout)
            except subprocess.TimeoutExpired as error:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
                raise AssertionError(f"{command} took over {timeout} s:\n{stdout}{stderr}") from error
        return Finished(process.returncode, stdout, stderr, time.monotonic() - start)

    def sh(self, script: str, *, timeout: float = 60.0) -> Finished:
        """Run a piece of shell there."""
        return self.run("sh", "-c", script, timeout=timeout)

    def processes(self) -> set[int]:
        """Everything that runs there, however it has detached itself."""
        return processes.marked_processes(processes.HOST_VARIABLE, str(self.root))

    def stop(self) -> None:
        """Switch it off: everything that runs there is killed. Its files stay."""
        processes.end_all(self.processes)

    def remove(self) -> None:
        """Switch it off and remove its files."""
        self.stop()
        shutil.rmtree(self.root)


def _usual_environment(root: Path) -> dict[str, str]:
    # TMUX must not come through from the developer's session: it would lead tmux to the server that the tests run in.
    return {
        processes.HOST_VARIABLE: str(root),
        "HOME": str(root / "home"),
        "TMUX_TMPDIR": str(root / "tmux"),
        "TMPDIR": str(root / "tmp"),
        # The programs of the environment that runs the tests come first: python3, pyinfra.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "USER": user_name(),
        "LOGNAME": user_name(),
    }


def user_name() -> str:
    """The name of the user who runs the tests."""
    return pwd.getpwuid(os.getuid()).pw_name
