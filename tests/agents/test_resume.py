"""An agent that is started again goes on with its conversation, on every level of the ladder, through real runs."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import random
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.agents.player import Agents, install
from tests.fleet import processes
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.programs import required
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, named_panes
from tests.recovery.playbook import EAGER, Run, recover, write_spec

# Two of the same kind in one folder, and one that gives its ids itself.
NAMES = ("kaede", "sakura")
SPEC: dict[str, Any] = {
    "sessions": [
        {
            "session_name": "work",
            "windows": [
                {
                    "window_name": "main",
                    "panes": [
                        {"name": "kaede", "shell_command": "claude", "agent": True},
                        {"name": "sakura", "shell_command": "exec claude --model opus", "agent": True},
                        {"name": "shell"},
                    ],
                },
                {"window_name": "other", "panes": [{"name": "logs"}]},
            ],
        }
    ],
    "gate": EAGER,
}


class Fleet:
    """A machine with fake agents, the spec that it is kept to, and what is known of the agents' conversations."""

    def __init__(self, machine: Machine, tmux: TmuxServer, spec: dict[str, Any]) -> None:
        self.machine, self.tmux = machine, tmux
        self.agents: Agents = install(machine)
        self.spec = write_spec(machine.root, spec)

    def run(self, **more: Any) -> Run:
        """One run of the ladder."""
        return recover(self.machine, self.spec, **more)

    def session(self, name: str) -> str:
        """The conversation that an agent leads, in its own words."""
        return str(self.agents.starts(name)[-1]["session"])

    def started(self, name: str, times: int) -> dict[str, Any]:
        """How an agent was started, as soon as it was so for the ``times``-th time."""
        wait_until(lambda: len(self.agents.starts(name)) >= times, what=f"start {times} of {name}")
        starts = self.agents.starts(name)
        assert len(starts) == times, starts
        return starts[-1]

    def say(self, name: str, text: str) -> None:
        """Have a human say something to an agent."""
        pane = named_panes(self.tmux)[name][0]
        self.tmux.run("send-keys", "-t", pane, "-l", "--", text)
        wait_until(lambda: text in self.agents.keys(name), what=f"{name} reads")
        self.tmux.run("send-keys", "-t", pane, "Enter")
        wait_until(lambda: text in self.agents.turns(name), what=f"{name} is told {text}")

    @property
    def folder(self) -> Path:
        """Where the register is."""
        return self.machine.home / ".local" / "state" / "miyabi" / "agents"

    def registered(self) -> dict[str, list[str]]:
        """The words of each file of the register, by its name."""
        return {each.name: each.read_text().split() for each in self.folder.iterdir()} if self.folder.is_dir() else {}


def resumed(start: dict[str, Any], session_id: str, turns: int) -> bool:
    """Whether a start took up a conversation with all that was said in it."""
    return (start["session"], start["turns"], start["resumed"]) == (session_id, turns, True)


def assert_nothing_to_do(fleet: Fleet) -> None:
    for _ in range(2):
        run = fleet.run()
        assert (run.failed, run.commands) == (False, [])


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")


@pytest.fixture
def fleet(machine: Machine, tmux_server: TmuxServer) -> Fleet:
    """Two agents that were built by a run, in the same folder, and spoken to."""
    fleet = Fleet(machine, tmux_server, SPEC)
    assert not fleet.run().failed
    for name in NAMES:
        fleet.started(name, 1)
        fleet.say(name, f"I am {name}")
    return fleet


def _kill_agent(fleet: Fleet) -> None:
    kill(fleet.tmux, "kaede")


def _kill_pane(fleet: Fleet) -> None:
    fleet.tmux.run("kill-pane", "-t", named_panes(fleet.tmux)["kaede"][0])


def _kill_both_agents(fleet: Fleet) -> None:
    for name in NAMES:
        kill(fleet.tmux, name)


def _kill_window(fleet: Fleet) -> None:
    fleet.tmux.run("kill-window", "-t", "=work:main")


def _kill_session(fleet: Fleet) -> None:
    fleet.tmux.run("new-session", "-d", "-s", "human", "sleep 1000")
    fleet.tmux.run("kill-session", "-t", "=work")


def _kill_server(fleet: Fleet) -> None:
    pid = fleet.tmux.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(pid))


@pytest.mark.parametrize(
    ("fault", "level", "damaged"),
    [
        (_kill_agent, "L1", {"kaede"}),
        pytest.param(_kill_pane, "L1", {"kaede"}, marks=pytest.mark.slow),
        pytest.param(_kill_both_agents, "L2", set(NAMES), marks=pytest.mark.slow),
        (_kill_window, "L2", set(NAMES)),
        pytest.param(_kill_session, "L3", set(NAMES), marks=pytest.mark.slow),
        (_kill_server, "L3", set(NAMES)),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("_") or None,
)
def test_the_same_conversation_goes_on(
    fleet: Fleet, fault: Callable[[Fleet], None], level: str, damaged: set[str]
) -> None:
    led = {name: fleet.session(name) for name in NAMES}
    turns = {name: fleet.agents.events(name, "turn")[-1]["turns"] for name in NAMES}
    assert len(set(led.values())) == 2
    before = {name: pid for name, (_, pid) in named_panes(fleet.tmux).items()}
    registered = fleet.registered()
    fault(fleet)
    run = fleet.run()
    assert not run.failed
    assert [step.level.name for step in run.climb.steps] == [level]
    for name in damaged:
        start = fleet.started(name, 2)
        assert resumed(start, led[name], turns[name]), start
    for name in set(NAMES) - damaged:
        assert len(fleet.agents.starts(name)) == 1
        assert named_panes(fleet.tmux)[name][1] == before[name]
    # One file for each, and what it says has not changed: the conversation is the same since it began.
    assert fleet.registered() == registered
    assert {name: words[2] for name, words in registered.items()} == {f"{n}.session": led[n] for n in NAMES}
    assert_nothing_to_do(fleet)


def alone(machine: Machine, tmux: TmuxServer, command: str = "claude", **agent: Any) -> Fleet:
    """A fleet whose only agent is kaede, which has not been started yet."""
    pane = {"name": "kaede", "shell_command": command, "agent": agent or True}
    session = {"session_name": "work", "windows": [{"window_name": "main", "panes": [pane, None]}]}
    return Fleet(machine, tmux, {"sessions": [session], "gate": EAGER})


def test_an_agent_that_a_spec_gains_is_known_from_its_first_start(fleet: Fleet) -> None:
    grown = copy.deepcopy(SPEC)
    grown["sessions"][0]["windows"][1]["panes"].append({"name": "botan", "shell_command": "claude", "agent": True})
    write_spec(fleet.machine.root, grown)
    run = fleet.run()
    assert not run.failed
    assert [str(action) for step in run.climb.steps for action in step.actions] == [
        "L1 Restoring pane work:other.botan (not there)"
    ]
    start = fleet.started("botan", 1)
    assert start["words"] == ["--session-id", start["session"]]
    assert fleet.registered()["botan.session"][2] == start["session"]
    assert_nothing_to_do(fleet)


def test_a_conversation_in_which_nothing_was_said_is_begun_again(machine: Machine, tmux_server: TmuxServer) -> None:
    fleet = alone(machine, tmux_server)
    fleet.agents.steer("kaede", "idle")
    assert not fleet.run().failed
    led = fleet.started("kaede", 1)["session"]
    registered = fleet.registered()
    kill(tmux_server, "kaede")
    # Its program would not find it, and refuses an id that is in use: one start must do.
    run = fleet.run()
    assert not run.failed
    assert [step.level.name for step in run.climb.steps] == ["L1"]
    start = fleet.started("kaede", 2)
    assert (start["session"], start["resumed"]) == (led, False)
    assert fleet.registered() == registered
    assert_nothing_to_do(fleet)


def test_a_conversation_that_is_not_found_is_over_and_another_begins(
    machine: Machine, tmux_server: TmuxServer, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = alone(machine, tmux_server)
    assert not fleet.run().failed
    led = fleet.started("kaede", 1)["session"]
    # Kept, but for another folder: only the program itself knows that it will not find it.
    projects = machine.home / ".claude" / "projects"
    wait_until(lambda: [*projects.glob("*/*.jsonl")], what="the transcript")
    next(projects.iterdir()).rename(projects / "-elsewhere")
    kill(tmux_server, "kaede")
    run = fleet.run()
    assert not run.failed
    assert [step.level.name for step in run.climb.steps] == ["L1", "L2"]
    start = fleet.started("kaede", 2)
    assert start["session"] != led
    assert (start["resumed"], start["words"][0]) == (False, "--session-id")
    # The old one is not forgotten.
    registered = fleet.registered()
    assert {name: words[2] for name, words in registered.items()} == {
        "kaede.session": start["session"],
        "kaede.session.previous": led,
    }
    assert_nothing_to_do(fleet)


@pytest.mark.parametrize("command", mostly_slow(["claude", "codex"], ("claude",)))
def test_an_agent_that_goes_on_with_another_conversation_is_told_of(
    machine: Machine, tmux_server: TmuxServer, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    fleet = alone(machine, tmux_server, command)
    assert not fleet.run().failed
    led = fleet.started("kaede", 1)["session"]
    wait_until(partial(fleet.agents.events, "kaede", "turn"), what="a turn")
    assert not fleet.run().failed
    kill(tmux_server, "kaede")
    fleet.agents.steer("kaede", "working", fork=True)
    # What was written within the same two seconds as the start would leave a doubt.
    wait_until(lambda: time.time() - _changed(machine, led) > 3, what="an old transcript")
    assert not fleet.run().failed
    start = fleet.started("kaede", 2)
    assert start["resumed"]
    assert start["session"] != led
    assert f"work:main.kaede leads another conversation than before, which was {led}" in caplog.text
    assert {name: words[2] for name, words in fleet.registered().items()} == {
        "kaede.session": start["session"],
        "kaede.session.previous": led,
    }
    assert_nothing_to_do(fleet)


def _changed(machine: Machine, session_id: str) -> float:
    return next(each.stat().st_mtime for each in machine.home.rglob(f"*{session_id}.jsonl"))


def test_a_conversation_that_runs_in_the_background_is_told_of_and_not_copied(
    machine: Machine, tmux_server: TmuxServer, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = alone(machine, tmux_server)
    assert not fleet.run().failed
    led = fleet.started("kaede", 1)["session"]
    wait_until(partial(fleet.agents.events, "kaede", "turn"), what="a turn")
    registered = fleet.registered()
    kill(tmux_server, "kaede")
    # The program refuses it as the real one does.
    program = machine.root / "agents" / "claude"
    said = f"Session {led} is running as a background session ({led[:8]}). Run `claude attach {led[:8]}` to open it."
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(said)}\nexit 1\n")
    starts = fleet.run()
    assert not starts.failed
    assert [step.level.name for step in starts.climb.steps] == ["L1"]
    assert f"work:main.kaede: the conversation {led} runs in the background on the host" in caplog.text
    assert_nothing_to_do(fleet)
    assert fleet.registered() == registered


def _is_gone(pid: int) -> bool:
    return not processes.alive(pid)


def test_an_agent_in_a_humans_shell_takes_up_what_was_said(machine: Machine, tmux_server: TmuxServer) -> None:
    fleet = alone(machine, tmux_server)
    tmux_server.start("work")
    tmux_server.run("rename-window", "-t", "=work:0", "main")
    fleet.agents.steer("pane-0", "idle")
    tmux_server.run("send-keys", "-t", "=work:main", "-l", "claude")
    tmux_server.run("send-keys", "-t", "=work:main", "Enter")
    fleet.started("pane-0", 1)
    wait_until(lambda: not fleet.run().failed and "kaede" in named_panes(tmux_server), what="its adoption")
    assert named_panes(tmux_server)["kaede"][0] == "%0"
    assert fleet.registered() == {}
    # Its shell is left when it ends. Nothing was said yet: what begins then is known.
    for times, flag in ((2, "--session-id"), (3, "--session-id"), (4, "--resume")):
        pid = fleet.agents.starts("pane-0")[-1]["pid"]
        fleet.agents.steer("pane-0", "crash", code=0)
        wait_until(partial(_is_gone, pid), what="the agent's end")
        fleet.agents.steer("pane-0", "idle" if times < 3 else "working")
        tmux_server.run("send-keys", "-t", "%0", "clear", "Enter")
        wait_until(lambda: "Claude" not in tmux_server.run("capture-pane", "-p", "-t", "%0"))
        assert not fleet.run().failed
        start = fleet.started("pane-0", times)
        assert start["words"] == [flag, start["session"]]
        assert [words[2] for words in fleet.registered().values()] == [start["session"]]
        assert named_panes(tmux_server)["kaede"][0] == "%0"
        if times > 2:
            wait_until(partial(fleet.agents.events, "pane-0", "turn"), what="a turn")
    assert len({start["session"] for start in fleet.agents.starts("pane-0")[1:]}) == 1
    assert_nothing_to_do(fleet)


def test_a_conversation_that_is_found_is_taken_up(machine: Machine, tmux_server: TmuxServer) -> None:
    fleet = alone(machine, tmux_server, "codex")
    assert not fleet.run().failed
    led = fleet.started("kaede", 1)["session"]
    turns = wait_until(partial(fleet.agents.events, "kaede", "turn"), what="a turn")[-1]["turns"]
    assert not fleet.run().failed
    assert {name: words[1:3] for name, words in fleet.registered().items()} == {"kaede.session": ["codex", led]}
    assert_nothing_to_do(fleet)
    kill(tmux_server, "kaede")
    assert not fleet.run().failed
    assert resumed(fleet.started("kaede", 2), led, turns)
    assert_nothing_to_do(fleet)


def test_two_of_a_folder_that_name_their_conversations_themselves_are_not_confused(
    machine: Machine, tmux_server: TmuxServer
) -> None:
    panes = [{"name": name, "shell_command": "codex", "agent": True} for name in NAMES]
    session = {"session_name": "work", "windows": [{"window_name": "main", "panes": [*panes, None]}]}
    fleet = Fleet(machine, tmux_server, {"sessions": [session], "gate": EAGER})
    assert not fleet.run().failed
    for name in NAMES:
        wait_until(partial(fleet.agents.events, name, "turn"), what="a turn")
    # Each is told by the file that it holds open, as soon as it has one.
    wait_until(lambda: not fleet.run().failed and len(fleet.registered()) == len(NAMES), 30, what="both are registered")
    assert {name: fleet.registered()[f"{name}.session"][2] for name in NAMES} == {
        name: fleet.session(name) for name in NAMES
    }
    assert_nothing_to_do(fleet)


@pytest.mark.parametrize("trouble", ["a file where the folder belongs", "a full disk"])
def test_an_agent_starts_where_nothing_can_be_registered(
    request: pytest.FixtureRequest, machine: Machine, tmux_server: TmuxServer, trouble: str
) -> None:
    if trouble == "a full disk":
        machine, disk = request.getfixturevalue("small_disk")
        tmux_server = TmuxServer(machine)
        with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
    else:
        (machine.home / ".local" / "state" / "miyabi").mkdir(parents=True)
        (machine.home / ".local" / "state" / "miyabi" / "agents").touch()
    fleet = alone(machine, tmux_server)
    run = fleet.run()
    assert fleet.started("kaede", 1)["words"][0] == "--session-id"
    assert named_panes(tmux_server)["kaede"]
    assert run.climb.left is None


def _run_beside(fleet: Fleet, inventory: Path) -> subprocess.Popen[bytes]:
    """A run of the real command that goes on beside the test."""
    return subprocess.Popen(
        [required("pyinfra"), str(inventory), "deploys/recover.py", "-y"],
        cwd=REPOSITORY,
        env=fleet.machine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_controller_that_is_killed_loses_no_conversation(fleet: Fleet) -> None:
    led = {name: fleet.session(name) for name in NAMES}
    inventory = fleet.machine.root / "fleet.py"
    inventory.write_text(f"fleet = [('@local', {{'spec': {str(fleet.spec)!r}}})]\n")
    moments = random.Random(6)  # noqa: S311 - only to be the same in every run
    for fault in (_kill_both_agents, _kill_window, _kill_server):
        fault(fleet)
        run = _run_beside(fleet, inventory)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(moments.uniform(0.6, 1.6))
        run.kill()
        run.wait()
        repaired = fleet.run()
        assert not repaired.failed, repaired.climb
        for name in NAMES:
            wait_until(lambda: set(NAMES) <= named_panes(fleet.tmux).keys(), what="the agents")
            start = fleet.agents.starts(name)[-1]
            assert (start["session"], start["resumed"]) == (led[name], True)
            assert start["turns"] == fleet.agents.events(name, "turn")[-1]["turns"]
        assert {name: words[2] for name, words in fleet.registered().items()} == {f"{n}.session": led[n] for n in NAMES}
    assert_nothing_to_do(fleet)
