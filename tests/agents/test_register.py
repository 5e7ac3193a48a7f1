"""The register of conversations on a host: written by every shell, whatever stands in its way; and who began when."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from facts.agent_origins import origins_section
from facts.probe import probe_script, read_section, split_sections
from miyabi import spec
from miyabi.build import build_session, pane_start
from miyabi.conversation import file_name, read_conversation, register_script
from miyabi.shell import Secret, quoted
from miyabi.spec import Agent, Command, Pane, Session, Window
from miyabi.tmux_command import client_calls
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, run_script
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until

ONE = "0b6c1c1e-0d0f-4a53-9a9c-5d3f7f3f2a01"
TWO = "0b6c1c1e-0d0f-4a53-9a9c-5d3f7f3f2a02"
NAME = "Kaede's `touch pwned` $(touch pwned); 日 *"


def act(machine: Machine, script: str, shell: str = "dash") -> None:
    program, *options = SHELLS[shell]
    path = shutil.which(program)
    assert path is not None
    done = subprocess.run(
        [path, *options, "-c", script], env=machine.environment, cwd=machine.home, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def folder_of(machine: Machine) -> Path:
    return machine.home / ".local" / "state" / "miyabi" / "agents"


def session_file(machine: Machine, name: str = NAME) -> Path:
    return folder_of(machine) / f"{file_name(name)}.session"


def led(path: Path) -> str | None:
    found = read_conversation(path.read_text())
    return found.session_id if found else None


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_registers_a_conversation(machine: Machine, shell: str) -> None:
    act(machine, register_script(NAME, "claude", ONE), shell)
    path = session_file(machine)
    found = read_conversation(path.read_text())
    assert found is not None
    assert (found.session_id, found.kind) == (ONE, "claude")
    assert abs(found.since - time.time()) < 60
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    # The same again changes nothing; another one keeps what was there.
    before = path.stat()
    act(machine, register_script(NAME, "claude", ONE), shell)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    act(machine, register_script(NAME, "claude", TWO), shell)
    previous = path.with_name(f"{path.name}.previous")
    assert (led(path), led(previous)) == (TWO, ONE)
    # What is over is over, and still told of.
    act(machine, register_script(NAME, "claude", ""), shell)
    assert (path.exists(), led(previous)) == (False, TWO)
    assert {each.name for each in folder_of(machine).iterdir()} == {previous.name}
    assert not [*machine.root.rglob("pwned")]


@pytest.mark.parametrize("what", ["a folder", "a link", "nonsense", "nothing", "something huge"])
def test_what_stands_in_the_place_of_a_register_makes_way(machine: Machine, what: str) -> None:
    path = session_file(machine)
    path.parent.mkdir(parents=True)
    elsewhere = machine.home / "precious"
    elsewhere.write_text("mine\n")
    if what == "a folder":
        path.mkdir()
    elif what == "a link":
        path.symlink_to(elsewhere)
    else:
        path.write_text({"nonsense": f"1 claude {ONE}x", "nothing": ""}.get(what, "1 " * 100_000))
    act(machine, register_script(NAME, "claude", ONE))
    assert led(path) == ONE
    assert elsewhere.read_text() == "mine\n"


def test_a_fifo_in_its_place_holds_nothing_up(machine: Machine) -> None:
    path = session_file(machine)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    act(machine, register_script(NAME, "claude", ONE))
    assert led(path) == ONE


@pytest.mark.parametrize("kept", [True, False])
def test_a_start_chooses_by_what_is_kept(machine: Machine, tmux_server: TmuxServer, kept: bool) -> None:
    agent = Agent(kind="claude", session_id=ONE, kept="~/my projects/*/x.jsonl", begin="echo begun; exec cat")
    pane = Pane(NAME, (Command("echo before"), Command("echo resumed; exec cat")), agent=agent, restart="always")
    if kept:
        for project in ("one", "two"):
            (machine.home / "my projects" / project).mkdir(parents=True)
            (machine.home / "my projects" / project / "x.jsonl").touch()
    tmux_server.start()
    words = [word.word if isinstance(word, Secret) else word for word in pane_start(pane)]
    shell_words = " ".join(map(quoted, words))
    act(machine, f"MIYABI_AGENTS=$HOME/register; tmux split-window {shell_words}")
    expected = "before\nresumed" if kept else "before\nbegun"
    wait_until(lambda: tmux_server.run("capture-pane", "-p", "-t", "%1").strip() == expected, what=expected)
    pid = tmux_server.run("display-message", "-p", "-t", "%1", "#{pane_pid}")
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"MIYABI_AGENT={NAME}".encode() in environment
    assert f"MIYABI_CHECKPOINT={machine.home}/register/{file_name(NAME)}.json".encode() in environment
    assert not [*machine.root.rglob("pwned")]


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_a_host_tells_when_a_process_began_and_what_it_holds(machine: Machine, shell: str) -> None:
    folder = machine.home / "a b\n日"
    folder.mkdir()
    transcript = folder / f"rollout-{ONE}.jsonl"
    with (
        transcript.open("a") as held,
        subprocess.Popen(["/bin/sleep", "300"], cwd=folder, stdout=held, env=machine.environment) as process,
    ):
        try:
            section = origins_section([process.pid, 1, 4_000_000])
            script = probe_script([section])
            found = read_section(section, split_sections(run_script(shell, script, machine.environment, machine.home)))
        finally:
            process.kill()
    origin = found[process.pid]
    assert abs(origin.born_at - time.time()) < 30
    assert (origin.folder, origin.files, origin.is_own) == (str(folder), (str(transcript),), True)
    assert 4_000_000 not in found


def test_a_session_of_many_agents_is_made_whatever_one_message_holds(machine: Machine, tmux_server: TmuxServer) -> None:
    command, agent = f"exec sleep 4242 # {'x' * 400}", Agent(kind="claude", session_id=ONE)
    panes = [Pane(f"agent-{n}", (Command(command),), agent=agent, restart="always") for n in range(48)]
    windows = tuple(Window(f"w{n}", f"w{n}", panes=tuple(panes[n : n + 4]), layout="tiled") for n in range(0, 48, 4))
    script = client_calls([tuple(build_session(Session("work", windows=windows)))], spec.TmuxServer())
    act(machine, f"MIYABI_AGENTS=/x; {''.join(map(str, script))}")
    names = tmux_server.run("list-panes", "-a", "-F", "#{@miyabi_window} #{@miyabi_pane}").splitlines()
    assert names == [f"w{n - n % 4} agent-{n}" for n in range(48)]
