"""The fact about agents, the kinds that are known for a host, and what a recovery remembers of screens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host

from facts.agents import Agents, AgentSummary
from facts.fleet_health import Drifts
from facts.host import host_sections, observe
from facts.host_kinds import KINDS_DIRECTORY, host_kinds
from facts.host_spec import host_spec
from miyabi import state as observed
from miyabi.agent_state import AgentPane
from tests.agents.conftest import Stage
from tests.agents.looking import mark, option
from tests.fleet.machine import Machine
from tests.recovery.playbook import Run, noting, on, recover, write_spec

_AGENTS = {"kaede": "claude", "sakura": "codex", "botan": "claude", "tsubaki": "claude"}


def _spec(**names: str) -> dict[str, Any]:
    panes = [{"name": name, "shell_command": command, "agent": {"role": "x"}} for name, command in names.items()]
    return {"sessions": [{"session_name": "work", "windows": [{"window_name": "main", "panes": panes}]}]}


def _asked(machine: Machine, spec: Mapping[str, Any], fact: Any = Agents, **data: str) -> tuple[Any, Run]:
    """The fact's answer, and what was executed for it."""
    run = Run()
    with on(machine), noting(run):
        data = {"spec": str(write_spec(machine.root, spec))} | data
        state = State(Inventory((["@local"], data)), Config(), check_for_changes=False)
        connect_all(state)
        [host] = state.inventory
        with ctx_host.use(host):
            answer = host.get_fact(fact, _ignore_errors=True)
        disconnect_all(state)
    return answer, run


def test_agents_in_four_conditions(stage: Stage) -> None:
    machine = stage.tmux.machine
    until = int(time.time() / 60) * 60 + 3600
    stage.agents.steer("kaede", "limited", until=until)
    stage.agents.steer("sakura", "permission")
    stage.agents.steer("botan", "working")
    stage.agents.steer("tsubaki", "crash", code=3)
    for name, command in _AGENTS.items():
        stage.play(name, command)
        mark(stage.tmux, f":={name}", name)
    stage.shows("kaede", "limit")
    stage.shows("sakura", "enter to confirm")
    stage.shows("botan", "to interrupt")
    stage.ended("tsubaki")
    told, run = _asked(machine, _spec(**_AGENTS))
    assert (run.probes, run.commands) == (1, [])
    assert {target: each["condition"] for target, each in told.items()} == {
        "work:main.kaede": "limited",
        "work:main.sakura": "permission",
        "work:main.botan": "working",
        "work:main.tsubaki": "exited",
    }
    kaede: AgentSummary = told["work:main.kaede"]
    assert kaede["until"] == until
    assert any("limit" in line for line in kaede["lines"])
    assert (kaede["kind"], told["work:main.sakura"]["kind"]) == ("claude", "codex")
    assert kaede["since"] is None
    assert "3" in told["work:main.tsubaki"]["detail"]
    assert (
        option(stage.tmux, stage.tmux.run("display-message", "-p", "-t", ":=kaede", "#{pane_id}"), "@miyabi_screen")
        == ""
    )


def test_agents_that_are_not_there(machine: Machine) -> None:
    assert _asked(machine, {"sessions": []})[0] == {}
    told, run = _asked(machine, _spec(kaede="claude"))
    assert told["work:main.kaede"]["condition"] == "unknown"
    assert run.probes == 1


def test_a_spec_or_a_kind_that_cannot_be_read_is_unknown(machine: Machine) -> None:
    assert _asked(machine, {"sessions": "x"})[0] is None
    (machine.root / "agents").mkdir()
    (machine.root / "agents" / "claude.yaml").write_text("programs: [claude]\npattern: x\n")
    fleet = str(machine.root / "fleet.yaml")
    assert _asked(machine, _spec(kaede="claude"), fleet=fleet)[0] is None
    # A spec without agents does not care.
    assert _asked(machine, {"sessions": []}, fleet=fleet)[0] == {}


def test_a_kind_that_cannot_be_read_leaves_the_rest_of_a_host_known(machine: Machine) -> None:
    (machine.root / "agents").mkdir()
    (machine.root / "agents" / "claude.yaml").write_text("programs: [claude]\npattern: x\n")
    seen = _observed(machine, _spec(kaede="claude"), fleet=str(machine.root / "fleet.yaml"))
    assert seen.agents is None
    assert "claude.yaml" in seen.unknown["agents"]
    assert "\n" not in seen.unknown["agents"]
    assert seen.processes is not None
    health, _ = _asked(machine, _spec(kaede="claude"), Drifts, fleet=str(machine.root / "fleet.yaml"))
    assert health.health == "drift"


def _observed(machine: Machine, spec: Mapping[str, Any], **data: str) -> observed.Host:
    """What a recovery would see."""
    with on(machine):
        data = {"spec": str(write_spec(machine.root, spec))} | data
        state = State(Inventory((["@local"], data)), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        [host] = state.inventory
        with ctx_host.use(host):
            seen = observe(host, host_spec(host))
        disconnect_all(state)
    return seen


def test_kinds_beside_the_fleet_s_file_and_those_of_the_repository(machine: Machine) -> None:
    fleet = machine.root / "inventory" / "fleet.yaml"
    fleet.parent.mkdir()
    state = State(Inventory(([("@local", {"fleet": str(fleet)})], {})), Config())
    [host] = state.inventory
    assert set(host_kinds(host)) == {path.stem for path in KINDS_DIRECTORY.glob("*.yaml")}
    (fleet.parent / "agents").mkdir()
    (fleet.parent / "agents" / "aider.yaml").write_text("programs: [aider]\n")
    assert [(name, kind.programs) for name, kind in host_kinds(host).items()] == [("aider", ("aider",))]
    # One run reads them once.
    (fleet.parent / "agents" / "other.yaml").write_text("programs: [other]\n")
    assert set(host_kinds(host)) == {"aider"}


def _pane(seen: observed.Host) -> AgentPane:
    assert seen.agents is not None, seen.unknown
    [pane] = seen.agents.panes
    return pane


def test_a_recovery_marks_what_it_sees_and_a_question_does_not(machine: Machine, stage: Stage) -> None:
    stage.agents.steer("kaede", "permission")
    spec = _spec(kaede="claude")
    assert not recover(machine, write_spec(machine.root, spec)).failed
    first = _pane(_observed(machine, spec))
    said = option(stage.tmux, first.pane_id, "@miyabi_screen")
    for fact in (Agents, Drifts):
        _, run = _asked(machine, spec, fact)
        assert (run.probes, run.commands) == (1, [])
    assert option(stage.tmux, first.pane_id, "@miyabi_screen") == said
    # A respawned pane keeps its options, and begins anew all the same.
    stage.tmux.run("respawn-pane", "-k", "-t", first.pane_id, "exec sleep 600")
    assert _pane(_observed(machine, spec)).same_since is None
    assert _pane(_observed(machine, spec)).same_since is not None


@pytest.mark.parametrize(("spec", "asked"), [(_spec(kaede="claude"), True), ({"sessions": []}, False)])
def test_only_a_spec_with_agents_asks_for_them(machine: Machine, spec: dict[str, Any], asked: bool) -> None:
    state = State(Inventory((["@local"], {"spec": str(write_spec(machine.root, spec))})), Config())
    [host] = state.inventory
    assert ("agents" in {each.title for each in host_sections(host, host_spec(host), marks=True)}) == asked
