"""One test run's own marker and folder, and what it left behind.

Under pytest-xdist each worker is a run of its own: its folder and its processes are told apart from its neighbours'.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tests.fleet import processes
from tests.fleet.waiting import wait_until

# Kept short, since a unix socket's path may have about 100 bytes in all.
FOLDER_PREFIX = "mr-"

# What we or pyinfra would leave in the system's temp folder when TMPDIR is ignored.
_OWN_NAMES = ("miyabi", "pyinfra")


@dataclass(frozen=True, slots=True)
class TestRun:
    """A test run.

    + marker: the value of ``MIYABI_TEST_RUN`` in the environment of everything that the run starts
    + folder: the run's temp folder; empty again when the run is over
    """

    __test__ = False  # not a test class

    marker: str
    folder: Path

    @classmethod
    def begin(cls, parent: Path | None = None) -> TestRun:
        """A new run, with a new folder in ``parent`` (the system's temp folder when None)."""
        return cls(uuid.uuid4().hex, Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=parent)).resolve())

    def environment(self) -> dict[str, str]:
        """What every process of this run has in its environment."""
        named = {processes.RUN_VARIABLE: self.marker, "TMPDIR": str(self.folder)}
        # pytest's own note of the test under way: it says later who started a process.
        return named | _chosen(os.environ, "PYTEST_CURRENT_TEST")

    def new_folder(self, name: str) -> Path:
        """A new, empty folder of this run; whoever asks for it removes it."""
        return Path(tempfile.mkdtemp(prefix=f"{name[:8]}-", dir=self.folder))

    def leftovers(self, patience: float = 10.0) -> list[str]:
        """What this run has left behind, a line each, after waiting ``patience`` seconds for it to go away."""
        try:
            wait_until(lambda: not self._leftovers_now(), patience)
        except AssertionError:
            return self._leftovers_now()
        return []

    def _leftovers_now(self) -> list[str]:
        # os.walk, unlike rglob, puts up with folders that go away meanwhile.
        found = (Path(folder) / name for folder, *names in os.walk(self.folder) for name in chain(*names))
        files = [f"{_kind(path)} {path}" for path in sorted(found)]
        return [_describe_process(pid) for pid in sorted(self.processes())] + files

    def processes(self) -> set[int]:
        """Every live process that this run has started."""
        marked = processes.marked_processes(processes.RUN_VARIABLE, self.marker)
        # sshd writes its title over its environment, but its command line names a file in the folder.
        return marked | {pid for pid in processes.all_processes() if str(self.folder) in processes.command_line_of(pid)}

    def end(self, patience: float = 10.0) -> list[str]:
        """End the run: return what it left behind (see ``leftovers``), then remove that."""
        found = self.leftovers(patience)
        processes.end_all(self.processes)
        shutil.rmtree(self.folder)
        return found


def _chosen(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: environment[name] for name in names if name in environment}


def _describe_process(pid: int) -> str:
    test = processes.environment_of(pid).get("PYTEST_CURRENT_TEST", "an unknown test")
    return f"process {pid} of {test}: {processes.command_line_of(pid)}"


def _kind(path: Path) -> str:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return "vanished file"
    return "folder" if stat.S_ISDIR(mode) else "socket" if stat.S_ISSOCK(mode) else "file"


def suspicious_names(folder: Path) -> set[str]:
    """What stands in ``folder``, the system's temp folder, and looks like ours: by its name, or as a tmux socket."""
    named = {str(path) for path in folder.iterdir() if path.name.startswith(_OWN_NAMES)}
    return named | {str(path) for path in folder.glob(f"tmux-{os.getuid()}/*")}
