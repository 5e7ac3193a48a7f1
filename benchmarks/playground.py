"""Where everything is measured: a fleet on the loopback address and a copy of the playbook, both gone afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from tests.fleet import sshd
from tests.fleet.control import Fleet
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Finished
from tests.fleet.privileges import privilege_separation_folder
from tests.fleet.sshd import SshHost

_APART = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@dataclass(slots=True)
class Playground:
    """A fleet, and the playbook that works on it.

    + fleet: its control machine runs every client
    + playbook: a copy of the repository, compiled, so that nobody's editing is measured
    """

    fleet: Fleet
    playbook: Path

    def hosts(self, count: int) -> list[SshHost]:
        """The first ``count`` hosts; those that are missing are added."""
        while len(self.fleet.hosts) < count:
            self.fleet.add(f"h{len(self.fleet.hosts) + 1:02}")
        return list(self.fleet.hosts.values())[:count]

    def write_spec(self, spec: Mapping[str, Any], name: str = "spec.yaml") -> Path:
        """Write a spec, or another YAML file, on the control machine."""
        path = self.fleet.control.root / name
        path.write_text(yaml.safe_dump(dict(spec), sort_keys=False), encoding="utf-8")
        return path

    def write_inventory(self, spec: Path) -> Path:
        """A pyinfra inventory of all hosts with an explicit key: looking for one costs more than the whole run."""
        key = self.fleet.control.home / ".ssh" / "id_ed25519"
        return self.fleet.write_inventory({name: {"spec": str(spec), "ssh_key": str(key)} for name in self.fleet.hosts})

    @property
    def ssh(self) -> list[str]:
        """The beginning of a call of OpenSSH's client, with the key exchange that pyinfra uses."""
        config = str(self.fleet.ssh_config)
        return ["ssh", "-F", config, "-o", "KexAlgorithms=curve25519-sha256", "-o", "BatchMode=yes"]

    def pyinfra(self, *arguments: str | Path) -> Finished:
        """Run pyinfra from the copy of the playbook."""
        return self.fleet.pyinfra(*arguments, cwd=self.playbook)


@contextmanager
def playground(*, apart: bool = False) -> Iterator[Playground]:
    """A fleet without hosts; when it is left, every process is ended and every file removed.

    + apart: whether each host shall see its own processes only, as real hosts do, where this user may do that
    """
    run = TestRun.begin()
    try:
        with privilege_separation_folder(), _processes_apart(run, apart=apart and can_keep_apart()):
            fleet = Fleet.build(run)
            try:
                playbook = fleet.copy_repository()
                # pyinfra writes no bytecode: without it each run would compile the playbook again.
                subprocess.run([sys.executable, "-m", "compileall", "-q", str(playbook)], check=True, timeout=120)
                yield Playground(fleet, playbook)
            finally:
                fleet.remove()
    finally:
        for line in run.end():
            print(f"left behind, and removed: {line}", file=sys.stderr)


def can_keep_apart() -> bool:
    """Whether hosts can have processes of their own here: that takes Linux, and root."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_APART, "true"], capture_output=True, check=False, timeout=30).returncode == 0


@contextmanager
def _processes_apart(run: TestRun, *, apart: bool) -> Iterator[None]:
    """Start every sshd in a process namespace of its own.

    Otherwise each of fifty hosts would list the processes of all fifty: work that no real fleet has, and all of it done
    by the processors that the clients run on.
    """
    if not apart:
        yield
        return
    program = run.folder / "sshd"
    program.write_text(f'#!/bin/sh\nexec {" ".join(_APART)} {sshd.sshd_program()} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    try:
        with patch.object(sshd, "sshd_program", lambda: str(program)):
            yield
    finally:
        program.unlink()


def remove(folder: Path) -> None:
    """Remove a folder that may not be there."""
    shutil.rmtree(folder, ignore_errors=True)
