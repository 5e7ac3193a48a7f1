"""Hosts to run the probe on: this machine under every POSIX shell that it has, and machines that it pretends to be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from facts.probe import Section, probe_script, read_section, split_sections
from tests.fleet import processes
from tests.fleet.waiting import wait_until

T = TypeVar("T")

SHELLS = {
    "dash": ("dash",),
    "bash": ("bash", "--posix"),
    "zsh": ("zsh", "--emulate", "sh"),
    "mksh": ("mksh",),
    "busybox": ("busybox", "sh"),
    "yash": ("yash",),
}
INSTALLED_SHELLS = [name for name, words in SHELLS.items() if shutil.which(words[0])]

# What a probe may use anywhere; all else that a pretended machine has is pretended too.
POSIX_TOOLS = ("cat", "cut", "date", "id", "od", "printf", "ps", "sed", "sh", "sleep", "tail", "tr")

_SYSTEM_FOLDERS = re.compile(r"(?<![\w./}])/(?=proc/|sys/|System/|data/data/)")
_MORE_PATH = re.compile(r'^PATH="\$PATH:.*$', re.MULTILINE)


def run_script(shell: str, script: str, environment: Mapping[str, str], cwd: Path | None = None) -> list[str]:
    """What ``script`` prints under ``shell``; like pyinfra, this dies of a byte that is not UTF-8.

    The script's processes must be gone when it ends.
    """
    program, *options = SHELLS[shell]
    path = shutil.which(program)
    assert path is not None, f"{program} is not installed"
    marker = uuid.uuid4().hex
    done = subprocess.run(
        [path, *options, "-c", script],
        env={
            **environment,
            processes.RUN_VARIABLE: os.environ[processes.RUN_VARIABLE],
            processes.HOST_VARIABLE: marker,
        },
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=True,
    )
    # busybox's `timeout` looks once a second whether it is still needed.
    wait_until(
        lambda: not processes.marked_processes(processes.HOST_VARIABLE, marker), 2, what="the probe's processes end"
    )
    assert not done.stderr, done.stderr
    return done.stdout.decode().splitlines()


def ask(section: Section[T], shell: str = "dash", cwd: Path | None = None, **environment: str) -> T:
    """What ``section`` says of this very machine."""
    usual = {name: os.environ[name] for name in ("HOME", "PATH")}
    return read_section(section, split_sections(run_script(shell, probe_script([section]), usual | environment, cwd)))


@dataclass(frozen=True, slots=True)
class PretendedHost:
    """A machine that has only the tools and the system files that a test gives it.

    + root: stands for ``/`` where the probe reads /proc, /sys, /System and /data/data
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def build(cls, root: Path, tools: Iterable[str] = POSIX_TOOLS) -> PretendedHost:
        """A machine with this machine's ``tools`` and nothing else."""
        host = cls(root, {"HOME": "/home/kaede", "PATH": str(root / "bin")})
        (root / "bin").mkdir()
        for tool in tools:
            path = shutil.which(tool)
            assert path is not None, f"{tool} is not installed"
            (root / "bin" / tool).symlink_to(Path(path).resolve())
        return host

    def tool(self, name: str, prints: str = "", code: int = 0, script: str = "") -> None:
        """Give it a program that prints a text, or is the shell ``script``."""
        path = self.root / "bin" / name
        path.unlink(missing_ok=True)
        (self.root / f"{name}.txt").write_text(prints)
        path.write_text(f"#!/bin/sh\n{script or f'cat {self.root}/{name}.txt; exit {code}'}\n")
        path.chmod(0o755)

    def file(self, path: str, text: str) -> None:
        """Give it a system file, by its absolute path."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def script(self, sections: Iterable[Section[Any]]) -> str:
        """The probe as this machine would run it."""
        script = _MORE_PATH.sub("", probe_script(sections))
        return _SYSTEM_FOLDERS.sub(f"{self.root}/", script)

    def ask(self, section: Section[T], shell: str = "dash", **environment: str) -> T:
        """What ``section`` says of this machine."""
        lines = run_script(shell, self.script([section]), self.environment | environment, self.root)
        return read_section(section, split_sections(lines))


def busybox_host(root: Path) -> PretendedHost:
    """A machine whose only tools are busybox's, with this machine's own system files."""
    host = PretendedHost.build(root, ())
    busybox = shutil.which("busybox")
    assert busybox is not None, "busybox is not installed"
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        (root / "bin" / applet).symlink_to(busybox)
    for folder in ("proc", "sys"):
        (root / folder).symlink_to(f"/{folder}")
    return host
