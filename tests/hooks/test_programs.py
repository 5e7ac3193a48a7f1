"""Hooks that cannot be run: what is wrong is told apart, before and after they were tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.facts.hosts import INSTALLED_SHELLS
from tests.fleet.disks import mounted
from tests.fleet.machine import Machine
from tests.hooks.running import all_ended, history, hook, run, run_text, write

each_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)


def _told(machine: Machine, path: str, shell: str = "dash", **arguments: str) -> tuple[str | None, str]:
    found = run(machine, path, shell, **arguments)
    assert found.problem is None or "\n" not in found.reason
    return found.problem, found.reason


@each_shell
def test_what_is_not_there(machine: Machine, shell: str) -> None:
    assert _told(machine, "/nowhere/hook", shell) == (
        "HOOK_DEPENDENCY_MISSING",
        "there is no //nowhere on the host: put it there, or correct the path".replace("//", "/"),
    )
    assert _told(machine, "~/hook.sh", shell) == (
        "HOOK_DEPENDENCY_MISSING",
        f"there is no {machine.home}/hook.sh on the host: put it there, or correct the path",
    )
    (machine.home / "hook.sh").symlink_to("gone")
    assert "is a link that leads nowhere" in _told(machine, "~/hook.sh", shell)[1]
    assert _told(machine, "no-such-program", shell) == (
        "HOOK_DEPENDENCY_MISSING",
        "there is no program no-such-program in the host's PATH: install it, or name its path",
    )
    write(machine, "#!/bin/sh\n", "here")
    assert "for the file, write ./here" in _told(machine, "here", shell)[1]
    assert all_ended(machine)
    # What was never run is no run.
    assert not history(machine, hook("here")).exists()


@each_shell
def test_what_may_not_be_run(machine: Machine, shell: str) -> None:
    path = write(machine, "#!/bin/sh\n", mode=0o644)
    assert _told(machine, "~/hook.sh", shell) == ("HOOK_PERMISSION_DENIED", f"{path} is not executable: chmod +x it")
    assert _told(machine, "~", shell) == (
        "HOOK_EXECUTION_FAILED",
        f"{machine.home} is a folder: name the program in it",
    )
    os.mkfifo(machine.home / "fifo", 0o700)
    assert _told(machine, "~/fifo", shell)[0] == "HOOK_EXECUTION_FAILED"
    assert _told(machine, "~/hook.sh/deeper", shell)[0] == "HOOK_DEPENDENCY_MISSING"
    folder = machine.home / "bin"
    folder.mkdir()
    (folder / "tool").write_text("#!/bin/sh\n")
    machine.environment["PATH"] += f":{folder}"
    assert _told(machine, "tool", shell) == ("HOOK_PERMISSION_DENIED", f"{folder}/tool is not executable: chmod +x it")


@each_shell
def test_an_interpreter_that_is_not_there(machine: Machine, shell: str) -> None:
    path = write(machine, "#!/opt/none/python3 -u\n")
    assert _told(machine, "~/hook.sh", shell) == (
        "HOOK_DEPENDENCY_MISSING",
        f"its interpreter /opt/none/python3 is not on the host: install it, or correct the first line of {path}",
    )
    write(machine, "#! /usr/bin/env -S A=b no-such-node --flag\n")
    problem, reason = _told(machine, "~/hook.sh", shell)
    assert (problem, "its interpreter no-such-node is not" in reason) == ("HOOK_DEPENDENCY_MISSING", True)
    write(machine, "#!/bin/sh\r\necho on\r\n")
    problem, reason = _told(machine, "~/hook.sh", shell)
    assert (problem, "ends with a carriage return" in reason) == ("HOOK_DEPENDENCY_MISSING", True)
    write(machine, "#!/etc/passwd\n")
    assert _told(machine, "~/hook.sh", shell)[0] == "HOOK_PERMISSION_DENIED"
    write(machine, "#!/usr/bin/env sh\necho on\n")
    assert _told(machine, "~/hook.sh", shell)[0] is None
    # A program is no script, whatever it holds.
    assert _told(machine, f"{sys.executable} --version", shell)[0] is None


def test_a_folder_that_is_not_there(machine: Machine) -> None:
    problem, reason = _told(machine, "true", cwd="~/none")
    assert (problem, reason.startswith(f"its folder {machine.home}/none is not there")) == (
        "HOOK_EXECUTION_FAILED",
        True,
    )


@pytest.mark.parametrize(
    ("script", "problem", "words"),
    [
        ("no-such-tool --x", "HOOK_DEPENDENCY_MISSING", "exit code 127: it needs no-such-tool"),
        ("bash -c no-such-tool", "HOOK_DEPENDENCY_MISSING", "it needs no-such-tool"),
        ("exec env no-such-tool", "HOOK_DEPENDENCY_MISSING", "it needs no-such-tool"),
        (f"{sys.executable} -c 'import no_such_module'", "HOOK_DEPENDENCY_MISSING", "it needs no_such_module"),
        ("perl -e 'use No::Such'", "HOOK_DEPENDENCY_MISSING", "it needs No/Such.pm"),
        ("no-such-tool; exit 1", "HOOK_EXECUTION_FAILED", "exit code 1"),
        ("echo 'page: not found' >&2; exit 1", "HOOK_EXECUTION_FAILED", "exit code 1: page: not found"),
        ("/etc/passwd", "HOOK_PERMISSION_DENIED", "exit code 126: "),
        ("echo 'git@github.com: Permission denied (publickey)'; exit 128", "HOOK_EXECUTION_FAILED", "exit code 128"),
        ("echo on; exit 7", "HOOK_EXECUTION_FAILED", "exit code 7: on"),
        ("exit 7", "HOOK_EXECUTION_FAILED", "exit code 7, and it printed nothing"),
        ("exit 127", "HOOK_DEPENDENCY_MISSING", "something that it runs is not there"),
    ],
)
def test_what_it_lacked_is_told_by_what_it_said(machine: Machine, script: str, problem: str, words: str) -> None:
    write(machine, f"#!/bin/sh\n{script}\n")
    told = _told(machine, "~/hook.sh")
    assert told[0] == problem, told
    assert words in told[1]


def test_a_program_for_another_machine(machine: Machine) -> None:
    path = machine.home / "program"
    path.write_bytes(b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\xff\x7f" + b"\0" * 100)
    path.chmod(0o755)
    found = run(machine, "~/program")
    assert found.problem in {"HOOK_EXECUTION_FAILED", "HOOK_DEPENDENCY_MISSING"}


@pytest.fixture
def noexec(machine: Machine) -> Iterator[Path]:
    folder = machine.home / "no exec"
    with mounted(machine, folder, "noexec,size=64k"):
        yield folder


@each_shell
def test_a_disk_from_which_nothing_is_run(machine: Machine, noexec: Path, shell: str) -> None:
    path = write(machine, "#!/bin/sh\necho on\n", "no exec/hook.sh")
    problem, reason = _told(machine, "'~/no exec/hook.sh'", shell)
    assert problem == "HOOK_PERMISSION_DENIED"
    assert f"nothing may be run where {path} lies ({noexec} is mounted noexec)" in reason
    assert run(machine, f"sh '{path}'", shell).output == "on\n"


def test_where_nothing_can_be_written(machine: Machine) -> None:
    machine.environment.update({"TMPDIR": str(machine.home / "none"), "PREFIX": "/none"})
    problem, reason = _told(machine, "true")
    assert problem == "HOOK_EXECUTION_FAILED"
    assert "make room there" in reason


def test_data_that_does_not_arrive_whole_is_not_acted_on(machine: Machine) -> None:
    for wanted in (hook("touch ~/ran", data={"a": "b" * 100}), hook("touch ~/ran")):
        for stdin in ("", "words=touch\n", "words='touch ran'\nfolder=~\n##"):
            _, done = run_text(machine, wanted, stdin=stdin)
            assert "outcome torn" in done.stdout
    assert not (machine.home / "ran").exists()
    assert all_ended(machine)
