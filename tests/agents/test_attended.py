"""Agents in real panes get what their condition needs, and nothing else, through real runs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from miyabi import agent_remedy, gate_fleet_holds
from miyabi.upkeep import Finding
from tests.agents.player import Agents, install
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import named_panes
from tests.recovery.playbook import EAGER, Run, recover, write_spec

NAMES = ("kaede", "sakura")


class Fleet:
    """A machine with two fake agents of different kinds, built by a run."""

    def __init__(self, machine: Machine, tmux: TmuxServer, gate: dict[str, Any] | None = None, **agent: Any) -> None:
        self.machine, self.tmux = machine, tmux
        self.agents: Agents = install(machine)
        panes = [
            {"name": "kaede", "shell_command": "claude", "agent": {"stall_after": 3, **agent}},
            {"name": "sakura", "shell_command": "codex", "agent": True},
        ]
        windows = [{"window_name": "main", "panes": panes}]
        self.spec = write_spec(
            machine.root, {"sessions": [{"session_name": "work", "windows": windows}], "gate": gate or EAGER}
        )
        assert not self.run().failed
        for name in NAMES:
            wait_until(lambda name=name: self.agents.starts(name), what=f"{name} starts")  # type: ignore[misc]
        # A conversation that its agent has named itself is registered as soon as it is found.
        wait_until(lambda: not self.run().commands, timeout=30, what="nothing is left to be done")
        self.pids = self.living()

    def run(self, **more: Any) -> Run:
        """One run of the ladder."""
        return recover(self.machine, self.spec, **more)

    def limited_for_a_moment(self, *, refuses: bool = False) -> None:
        """Have kaede say that her limit ends in two seconds, and wait until it has.

        + refuses: whether it goes on saying so, whatever it is told
        """
        until = time.time() + 2
        said = "You've hit your session limit · resets in 2 seconds"
        self.agents.steered("kaede", "limited", until=until + 3600 * refuses, text=said)
        wait_until(lambda: time.time() > until + 0.5, what="the limit is over")

    def living(self) -> dict[str, int]:
        """The pids of the panes by name."""
        return {name: pane[1] for name, pane in named_panes(self.tmux).items()}

    def typed(self) -> list[str]:
        """What was typed into kaede and sent, beside what she was begun with."""
        return [text for text in self.agents.turns("kaede") if text != "work on the next issue"]

    def found(self, run: Run) -> Finding:
        """What a run has said of kaede."""
        return run.findings["agent work:main.kaede"]


@pytest.fixture(autouse=True)
def _believe_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_remedy, "MARGIN", 0.0)


@pytest.fixture
def fleet(machine: Machine, tmux_server: TmuxServer) -> Fleet:
    return Fleet(machine, tmux_server)


def test_agents_that_work_are_left_alone(fleet: Fleet) -> None:
    run = fleet.run()
    assert (run.failed, run.commands, run.findings) == (False, [], {})
    assert fleet.living() == fleet.pids
    assert {name: fleet.agents.keys(name) for name in NAMES} == {"kaede": "", "sakura": ""}


@pytest.mark.parametrize(
    ("play", "told", "kind", "words"),
    [
        ("permission", {}, "agent-waits", "it waits for a permission"),
        pytest.param("trust", {}, "agent-waits", "it asks whether its folder is to be trusted", marks=pytest.mark.slow),
        ("login", {}, "agent-stuck", "it waits for a login"),
        pytest.param("context-full", {}, "agent-stuck", "its context is full", marks=pytest.mark.slow),
        pytest.param(
            "limited",
            {"how": "menu"},
            "agent-stuck",
            "its usage limit is reached, and its menu is open",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_waits_for_a_human_is_told_and_left_alone(
    fleet: Fleet, play: str, told: dict[str, Any], kind: str, words: str
) -> None:
    fleet.agents.steered("kaede", play, **told)
    wait_until(lambda: "agent work:main.kaede" in (run := fleet.run()).findings and not run.failed, what=play)
    run = fleet.run()
    assert (run.failed, run.commands) == (False, [])
    assert (fleet.found(run).told, fleet.found(run).verdict) == (kind, "warning")
    assert fleet.found(run).reason.startswith(words)
    assert fleet.found(run).lines
    assert fleet.living() == fleet.pids
    assert fleet.agents.keys("kaede") == ""


def test_a_limit_is_waited_for_and_its_agent_told_to_go_on_once(fleet: Fleet) -> None:
    fleet.agents.steered("kaede", "limited", until=time.time() + 7200)
    run = fleet.run()
    assert (run.failed, run.commands, fleet.found(run).told) == (False, [], "agent-parked")
    assert "parked until" in fleet.found(run).reason
    assert fleet.agents.keys("kaede") == ""
    fleet.limited_for_a_moment()
    run = fleet.run()
    assert (run.failed, fleet.found(run).verdict) == (False, "repaired"), run
    assert fleet.typed() == ["continue"]
    assert fleet.living() == fleet.pids
    run = fleet.run()
    assert (run.failed, run.commands) == (False, [])
    assert fleet.typed() == ["continue"]


@pytest.mark.slow
def test_an_agent_that_tells_of_one_limit_after_the_other_is_not_told_to_go_on_each_time(
    machine: Machine, tmux_server: TmuxServer
) -> None:
    fleet = Fleet(machine, tmux_server, gate={"backoff": {"first": "1h", "longest": "1h"}})
    fleet.limited_for_a_moment(refuses=True)
    runs = [fleet.run(remember=True) for _ in range(3)]
    assert fleet.typed() == ["continue"]
    assert "a pause of" in fleet.found(runs[-1]).reason
    assert not runs[-1].failed


@pytest.mark.slow
def test_an_overloaded_service_is_left_alone_and_then_asked_by_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.agents.steered("kaede", "overloaded", how="final")
    run = fleet.run(remember=True)
    assert (run.failed, fleet.found(run).verdict) == (False, "warning")
    assert "anthropic is overloaded, and left alone by all agents" in fleet.found(run).reason
    assert fleet.typed() == []
    monkeypatch.setattr(gate_fleet_holds, "_OVERLOADED", (0.0, 600.0))
    run = fleet.run(remember=True)
    assert fleet.found(run).verdict == "repaired", run.findings
    assert fleet.typed() == ["continue"]
    assert fleet.living() == fleet.pids


def test_nothing_is_typed_into_what_a_human_types(fleet: Fleet) -> None:
    fleet.limited_for_a_moment()
    pane = named_panes(fleet.tmux)["kaede"][0]
    fleet.tmux.run("send-keys", "-t", pane, "-l", "--", "please look at")
    wait_until(lambda: fleet.agents.keys("kaede") == "please look at", what="the draft is read")
    run = fleet.run()
    assert not run.failed
    assert "half typed" in fleet.found(run).reason
    assert fleet.agents.keys("kaede") == "please look at"


@pytest.mark.slow
def test_a_full_context_is_shortened_where_the_spec_says_so(machine: Machine, tmux_server: TmuxServer) -> None:
    fleet = Fleet(machine, tmux_server, compact=True)
    fleet.agents.steered("kaede", "context-full")
    run = fleet.run()
    assert (run.failed, fleet.found(run).verdict) == (False, "repaired"), run.findings
    assert len(fleet.agents.events("kaede", "compact")) == 1
    fleet.agents.steered("kaede", "context-full", how="failed")
    runs = [fleet.run() for _ in range(3)]
    assert fleet.found(runs[-1]).told == "agent-stuck"
    assert fleet.agents.keys("kaede").count("/compact") <= 2


@pytest.mark.slow
def test_a_question_about_trust_is_answered_where_the_spec_says_so(machine: Machine, tmux_server: TmuxServer) -> None:
    fleet = Fleet(machine, tmux_server, trust=True)
    fleet.agents.steered("kaede", "trust")
    run = fleet.run()
    assert (run.failed, fleet.found(run).verdict) == (False, "repaired"), run.findings
    assert fleet.living() == fleet.pids
    assert len(fleet.agents.starts("kaede")) == 1


def test_an_agent_that_hangs_is_restarted_with_its_conversation(fleet: Fleet) -> None:
    [start] = fleet.agents.starts("kaede")
    fleet.agents.steered("kaede", "hang")
    wait_until(
        lambda: fleet.run().commands and len(fleet.agents.starts("kaede")) == 2, timeout=40, what="it is restarted"
    )
    again = fleet.agents.starts("kaede")[-1]
    assert (again["session"], again["resumed"]) == (start["session"], True)
    pids = fleet.living()
    assert pids["sakura"] == fleet.pids["sakura"]
    assert pids["kaede"] != fleet.pids["kaede"]
    run = fleet.run()
    assert (run.failed, run.commands) == (False, [])


@pytest.mark.slow
def test_an_agent_whose_tool_works_for_long_does_not_hang(fleet: Fleet) -> None:
    fleet.agents.steered("kaede", "hang", how="alive")
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        run = fleet.run()
        assert (run.failed, run.commands) == (False, [])
    assert fleet.living() == fleet.pids


def test_an_agent_that_was_stopped_is_let_go_on_and_not_restarted(fleet: Fleet) -> None:
    fleet.agents.steered("kaede", "hang", how="stopped")
    wait_until(lambda: fleet.run().commands, timeout=40, what="something is done about it")
    assert fleet.living() == fleet.pids
    assert len(fleet.agents.starts("kaede")) == 1
    run = fleet.run()
    assert (run.failed, run.commands) == (False, [])
