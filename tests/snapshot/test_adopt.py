"""``miyabi adopt``: the real command on real sessions, and what it refuses."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path

import pytest
import yaml

from miyabi.adopt import adopt_session
from miyabi.errors import AdoptError
from miyabi.spec_file import load_spec, parse_spec
from tests.fleet.control import Fleet
from tests.fleet.machine import Machine
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import recover, write_spec
from tests.snapshot.acting import apply, everything, look, miyabi, write_adopted
from tests.snapshot.test_restore import named


def _agent(machine: Machine, name: str) -> str:
    """A program called ``name`` that runs until it is ended."""
    folder = machine.root / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / name
    shutil.copy2(shutil.which("sleep") or "sleep", program)
    return str(program)


@pytest.mark.slow
def test_the_command_on_a_host_behind_ssh(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    tmux = ssh_host.tmux
    claude = _agent(ssh_host.machine, "claude")
    tmux.start("work", "exec tail -F '/nowhere/a b'")
    tmux.run("split-window", "-h", "-t", "=work:", "-c", "/usr")
    tmux.run("new-window", "-t", "=work:", "-n", "agents", f"exec {claude} 4242")
    tmux.run("split-window", "-t", "=work:agents", "exec sleep 1000")
    tmux.run("new-session", "-d", "-s", "other", "sleep 1000")
    wait_until(lambda: {"claude", "tail"} <= set(tmux.run("list-panes", "-a", "-F", "#{pane_current_command}").split()))
    there = everything(tmux)
    control = ssh_fleet.control
    shown = miyabi(control, "adopt", "mugen", "work")
    assert shown.code == 0, shown.output
    assert everything(tmux) == there
    assert set(named(tmux).values()) == {""}
    file = control.root / "work.yaml"
    done = miyabi(control, "adopt", "mugen", "work", "-o", file)
    assert done.code == 0, done.output
    assert done.stdout == f"{file}: 2 windows, 4 panes, 1 of them agents\n"
    assert file.read_text() == shown.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "it ran sleep 1000; it comes back as a shell" in done.stderr
    checked = miyabi(control, "spec", "check", file)
    assert checked.stdout.endswith("(1 session, 2 windows, 4 panes)\n"), checked.output
    again = control.run("pyinfra", "mugen", "deploys/recover.py", "-y", "--data", f"spec={file}", cwd=_checkout())
    assert again.code == 0, again.output
    assert again.output.count("No changes") == 6
    assert "healthy, nothing to do" in again.output
    assert everything(tmux) == there
    # The agent is looked after from now on, and nothing of the other session is.
    pid = int(tmux.run("display-message", "-p", "-t", "=work:agents.0", "#{pane_pid}"))
    os.kill(pid, signal.SIGKILL)
    healed = control.run("pyinfra", "mugen", "deploys/recover.py", "-y", "--data", f"spec={file}", cwd=_checkout())
    assert "restored" in healed.output, healed.output
    assert [each for each in named(tmux).values() if each == ""] == [""]


def _checkout() -> Path:
    return Path(__file__).parents[2]


def test_an_existing_file_is_replaced_only_when_asked(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("work", "sleep 1000")
    file = machine.root / "work.yaml"
    file.write_text("mine")
    done = miyabi(machine, "adopt", "@local", "work", "-o", file)
    assert (done.code, file.read_text()) == (1, "mine")
    assert done.stderr == f"Error: {file}: exists; name another file, or replace it with --force\n"
    assert set(named(tmux_server).values()) == {""}
    assert miyabi(machine, "adopt", "@local", "work", "-o", file, "--force").code == 0
    assert load_spec(file, base_directory="~").sessions[0].session_name == "work"
    assert sorted(path.name for path in machine.root.iterdir() if "miyabi" in path.name) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["@local", "wrok"], "wrok: no such session; there are: work"),
        (["@local"], "name HOST and SESSION"),
        (["@local", "work", "more"], "name HOST and SESSION"),
        (["@local", "work", "-o", "x.txt"], "x.txt: allowed: a name that ends in .yaml"),
        (["@local", "work", "-o", "/nowhere/x.yaml"], "allowed: a file in a folder that exists"),
        (["no-such-host", "work"], "no-such-host: what is there is unknown, nothing is done"),
        (["--", "-x", "work"], "'-x': allowed: the name of a host"),
        (["--resurrect", "/nowhere"], "/nowhere: cannot be read: No such file"),
        (["--resurrect", "/dev/zero"], "/dev/zero: allowed: a save file"),
    ],
)
def test_what_cannot_be_adopted_is_one_clear_error(
    machine: Machine, tmux_server: TmuxServer, arguments: list[str], reason: str
) -> None:
    tmux_server.start("work", "sleep 1000")
    done = miyabi(machine, "adopt", *arguments)
    assert done.code in {1, 2}
    assert reason in done.stderr, done.output
    assert "Traceback" not in done.output
    assert set(named(tmux_server).values()) == {""}


def test_without_a_clone_it_is_told_where_to_go(machine: Machine) -> None:
    done = miyabi(machine, "adopt", "@local", "work", cwd=machine.home)
    assert (done.code, done.stderr.endswith("not a clone of the repository; change to one, then try again\n")) == (
        1,
        True,
    )


def test_a_hostile_session_is_refused_and_a_hostile_window_renamed(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("$(touch pwned)", "sleep 1000")
    tmux_server.run("new-session", "-d", "-s", "good", "sleep 1000")
    # tmux itself would run what #( begins; doubled, it is a name.
    tmux_server.run("rename-window", "-t", "=good:", "##{pane_id}##(touch pwned)\"'\n!: x")
    assert "#(touch pwned)" in tmux_server.run("list-windows", "-t", "=good", "-F", "#{window_name}")
    seen = look(machine)
    with pytest.raises(AdoptError, match=r"its name cannot stand in a spec; allowed: .*tmux rename-session"):
        adopt_session(seen, "$(touch pwned)", origin="x")
    there = everything(tmux_server)
    adopted = adopt_session(seen, "good", origin="x")
    assert "cannot stand in a spec: here it is " in adopted.notes[0]
    run = apply(machine, write_adopted(machine, adopted), adopted.marks)
    assert not run.failed
    assert apply(machine, write_adopted(machine, adopted), ()).commands == []
    assert everything(tmux_server) == there
    assert not list(machine.root.rglob("pwned"))


def test_dead_panes_and_secrets_are_left_out_and_told(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.configure("set -g remain-on-exit on\n")
    claude = _agent(machine, "claude")
    tmux_server.start("work", f"exec {claude} 4242 --token=abc")
    tmux_server.run("split-window", "-t", "=work:", "exit 3")
    tmux_server.run("split-window", "-t", "=work:", "exec sleep 1000")
    wait_until(lambda: tmux_server.run("list-panes", "-a", "-F", "#{pane_dead}").split().count("1") == 2)
    tmux_server.run("respawn-pane", "-t", "%0", f"exec {claude} 4242")
    wait_until(lambda: tmux_server.run("display-message", "-p", "-t", "%0", "#{pane_current_command}") == "claude")
    adopted = adopt_session(look(machine), "work", origin="x")
    assert (adopted.panes, adopted.agents) == (2, 1)
    assert any("is dead: it is left out" in note for note in adopted.notes)
    assert not apply(machine, write_adopted(machine, adopted), adopted.marks).failed
    assert apply(machine, write_adopted(machine, adopted), ()).commands == []


def test_a_managed_session_is_adopted_with_its_names(machine: Machine, tmux_server: TmuxServer) -> None:
    spec = {
        "session_name": "fleet",
        "windows": [
            {"window_name": "w", "panes": [{"name": "kaede", "shell_command": "cat"}, None]},
            {"panes": [None]},
        ],
    }
    assert not recover(machine, write_spec(machine.root, spec)).failed
    tmux_server.run("rename-session", "-t", "=fleet", "shown")
    adopted = adopt_session(look(machine), "shown", origin="x")
    assert adopted.marks == ()
    [session] = yaml.safe_load(adopted.text)["sessions"]
    assert session["session_name"] == "fleet"
    wanted = parse_spec("x", adopted.text.encode(), base_directory="~")
    assert [pane.name for window in wanted.sessions[0].windows for pane in window.panes] == [
        "kaede",
        "fleet:w.2",
        "fleet:window-2.1",
    ]
    assert apply(machine, write_adopted(machine, adopted), ()).commands == []


def test_a_name_that_another_session_s_pane_carries_is_not_given_twice(
    machine: Machine, tmux_server: TmuxServer
) -> None:
    tmux_server.start("work", "sleep 1000")
    tmux_server.run("rename-window", "-t", "=work:", "w")
    tmux_server.run("new-session", "-d", "-s", "other", "sleep 1000")
    tmux_server.run("set-option", "-p", "-t", "%1", "@miyabi_pane", "work:w.1")
    adopted = adopt_session(look(machine), "work", origin="x")
    assert not apply(machine, write_adopted(machine, adopted), adopted.marks).failed
    assert named(tmux_server) == {"%0": "work w.1", "%1": "work:w.1"}


def test_a_session_whose_name_is_taken_is_refused(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("one", "sleep 1000")
    tmux_server.run("set-option", "-t", "=one:", "@miyabi_session", "two")
    tmux_server.run("new-session", "-d", "-s", "two", "sleep 1000")
    seen = look(machine)
    two = next(session for session in seen.sessions if session.name is None)
    with pytest.raises(AdoptError, match="another session is managed under this name"):
        adopt_session(seen, two.session_name, origin="x")
