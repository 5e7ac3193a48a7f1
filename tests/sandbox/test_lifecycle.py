"""Up and down: whole, half-made, killed, in a folder that is somebody's own."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from miyabi.cli import main
from miyabi.sandbox import lifecycle, programs
from miyabi.sandbox.faults import inject
from miyabi.sandbox.fleet import Sandbox, SandboxError, default_folder
from miyabi.sandbox.inside import run_on
from miyabi.sandbox.processes import processes_of
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.sandbox.conftest import assert_nothing_is_left


@pytest.fixture
def folder(test_run: TestRun) -> Iterator[Path]:
    """Where a sandbox may be; what is left there is taken down."""
    parent = test_run.new_folder("sandbox")
    yield parent / "s"
    lifecycle.down(parent / "s")
    parent.rmdir()


def _miyabi(*arguments: str | Path) -> str:
    done = CliRunner().invoke(main, ["sandbox", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands_bring_it_up_tell_how_it_is_and_take_it_down_twice(folder: Path) -> None:
    said = _miyabi("up", "--folder", folder)
    assert f"    pyinfra {folder}/inventory.py deploys/recover.py -y\n" in said
    assert "is up already" in _miyabi("up", "--folder", folder)
    told = _miyabi("status", "--folder", folder)
    hosts = 5 if programs.can_isolate() else 3
    assert told.count("way in: answers; sshd: answers; tmux: no server") == hosts
    assert told.count("imitated: ") >= hosts
    assert "Nothing has been seen yet" in _miyabi("top", "--once", "--folder", folder)
    assert _miyabi("down", "--folder", folder) == "the sandbox is gone\n"
    assert_nothing_is_left(folder)
    assert _miyabi("down", "--folder", folder) == "there is no sandbox\n"


def test_nothing_of_the_users_own_is_touched(folder: Path, machine: Machine) -> None:
    before = sorted(path for path in machine.root.rglob("*"))
    done = machine.run("python3", "-m", "miyabi", "sandbox", "up", "--folder", str(folder), cwd=REPOSITORY)
    assert done.code == 0, done.output
    assert machine.run("python3", "-m", "miyabi", "sandbox", "down", "--folder", str(folder), cwd=REPOSITORY).code == 0
    assert sorted(path for path in machine.root.rglob("*")) == before


def test_a_folder_may_be_named_by_where_one_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    _miyabi("up", "--plain", "--folder", "s")
    assert "mugen: the MCP server is dead already" in _miyabi("break", "mcp", "mugen", "--folder", "./s")
    _miyabi("break", "sshd", "mugen", "--folder", "s")
    assert _miyabi("status", "--folder", "s").count("sshd: answers") == 2
    _miyabi("down", "--folder", "s")
    assert_nothing_is_left(folder)


def test_a_machine_without_runit_zsh_and_mksh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = programs.find
    missing = {"runsvdir", "runsv", "sv", "zsh", "mksh"}
    monkeypatch.setattr(programs, "find", lambda name: None if name in missing else find(name))
    sandbox = lifecycle.up(folder)
    pixel, macbook = sandbox.host("pixel"), sandbox.host("macbook")
    assert run_on(pixel, "command -v sv", check=False).stdout == ""
    assert [Path(run_on(each, "echo $SHELL").stdout.strip()).name for each in (pixel, macbook)] == ["sh", "sh"]
    assert lifecycle.answers(pixel, pixel.port)
    list(inject(sandbox, "sshd", "pixel"))
    assert not lifecycle.answers(pixel, pixel.port)
    # What a recovery does on a phone without termux-services.
    run_on(pixel, "sshd")
    wait_until(lambda: lifecycle.answers(pixel, pixel.port))


@pytest.mark.slow
def test_what_a_background_run_ignores_is_not_ignored_on_the_hosts(folder: Path, machine: Machine) -> None:
    script = f"trap '' HUP INT QUIT; python3 -m miyabi sandbox up --folder {folder}"
    done = machine.run("sh", "-c", script, cwd=REPOSITORY)
    assert done.code == 0, done.output
    sandbox = Sandbox.load(folder)
    assert sandbox is not None
    for host in sandbox.hosts.values():
        ignored = re.search(
            r"^SigIgn:\s*(\S+)", Path(f"/proc/{lifecycle.boot_pid(host)}/status").read_text(), re.MULTILINE
        )
        assert ignored is not None
        assert not int(ignored[1], 16) & 0b111


def test_down_after_everything_was_killed(folder: Path) -> None:
    lifecycle.up(folder)
    for pid in processes_of(folder):
        # One may end because another has.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert lifecycle.down(folder)
    assert_nothing_is_left(folder)


def test_down_after_an_up_that_was_killed_half_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    boot = lifecycle.boot
    monkeypatch.setattr(lifecycle, "boot", lambda host, place: boot(host, place) if host.name == "pixel" else die())
    with pytest.raises(KeyboardInterrupt):
        lifecycle.up(folder)
    assert Sandbox.load(folder) is None
    assert processes_of(folder)
    monkeypatch.undo()
    said: list[str] = []
    lifecycle.up(folder, say=said.append)
    assert "removing what is left" in said[0]
    lifecycle.down(folder)
    assert_nothing_is_left(folder)


def test_an_up_after_a_host_has_died_makes_it_anew(folder: Path) -> None:
    first = lifecycle.up(folder)
    pid = lifecycle.boot_pid(first.host("mugen"))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: lifecycle.boot_pid(first.host("mugen")) is None)
    second = lifecycle.up(folder)
    assert second.host("mugen").address != first.host("mugen").address


def test_a_folder_that_is_somebodys_own_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "letters").touch()
    for act in (lifecycle.up, lifecycle.down):
        with pytest.raises(SandboxError, match="is there and no sandbox"):
            act(folder)
    assert (folder / "letters").exists()
    (folder / "letters").unlink()


@pytest.mark.parametrize(
    ("name", "reason"), [("with space", "without spaces"), ("it's", "without spaces"), ("x" * 99, "too long")]
)
def test_a_folder_that_cannot_hold_one_is_refused(folder: Path, name: str, reason: str) -> None:
    with pytest.raises(SandboxError, match=reason):
        lifecycle.up(folder.parent / name)


def test_a_machine_that_cannot_have_one_is_told_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_SEARCHED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    done = CliRunner().invoke(main, ["sandbox", "up", "--folder", str(folder)])
    assert (done.exit_code, folder.exists()) == (1, False)
    assert done.output == "Error: tmux is missing on this machine: make demo installs it, or: apt-get install tmux\n"


def test_without_a_sandbox_every_command_says_how_to_get_one(folder: Path) -> None:
    for words in (["status"], ["break", "pane"], ["mend", "offline"]):
        done = CliRunner().invoke(main, ["sandbox", *words, "--folder", str(folder)])
        assert (done.exit_code, done.output) == (1, f"Error: there is no sandbox in {folder}: miyabi sandbox up\n")


def test_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert default_folder() == Path("/var/state/miyabi/sandbox")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_folder() == Path.home() / ".local/state/miyabi/sandbox"
