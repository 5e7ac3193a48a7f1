"""The sessions of a host's workspaces: what is asked, how often, and what of it travels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyinfra.api import Config, Host, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host

from facts.observation import Unknown, ask, expect, forget
from facts.workspace import Sessions, contents_section, judged_sessions, known_section
from miyabi.orchestration.analysis import Analysis
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.session_cache import cache_folder, keep_analyses
from tests.fleet.control import Fleet
from tests.fleet.machine import Machine
from tests.fleet.sshd import SshHost
from tests.recovery.playbook import Run, noting, on

RULES = Orchestration("~/app")


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def sessions(machine: Machine) -> Path:
    """A folder with three sessions."""
    folder = machine.home / "app" / ".claude" / "state"
    folder.mkdir(parents=True)
    for name in "abc":
        (folder / f"session-{name}.json").write_text(json.dumps({"session": {"id": name}}))
    return folder


@pytest.fixture
def host(machine: Machine, run: Run, sessions: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.root / "cache"))
    with on(machine), noting(run):
        state = State(Inventory((["@local"], {})), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        yield next(iter(state.inventory))
        disconnect_all(state)


def seen(host: Host) -> SeenWorkspace:
    told = ask(host, known_section(host, RULES))
    assert not isinstance(told, Unknown), told
    return told


def test_a_look_at_what_is_known_costs_one_question_and_no_content(host: Host, run: Run, sessions: Path) -> None:
    expect(host, [known_section(host, RULES)])
    first = seen(host)
    assert [each.content is not None for each in first.sessions] == [True] * 3
    reports = judged_sessions(host.name, RULES, first)
    assert [each.name for each in reports] == ["session-a.json", "session-b.json", "session-c.json"]
    assert seen(host) is first
    assert run.probes == 1
    host.state.set_stage(StateStage.Execute)
    again = seen(host)
    assert [each.content for each in again.sessions] == [None] * 3
    assert judged_sessions(host.name, RULES, again) == reports
    assert run.probes == 2
    (sessions / "session-b.json").write_text("{")
    forget(host, "workspace")
    changed = seen(host)
    assert [each.content for each in changed.sessions] == [None, b"{", None]
    assert judged_sessions(host.name, RULES, changed)[1].status == "corrupted"
    assert run.probes == 3


def test_the_question_that_was_asked_is_the_same_whatever_another_run_learns(host: Host) -> None:
    before = known_section(host, RULES)
    keep_analyses(host.name, RULES, {"a" * 64: Analysis()})
    assert known_section(host, RULES, asked=True).script == before.script
    ask(host, before)
    assert known_section(host, RULES).script == before.script
    forget(host, "workspace")
    assert known_section(host, RULES).script != before.script


def test_the_cache_is_written_only_when_something_new_was_learned(host: Host) -> None:
    judged_sessions(host.name, RULES, seen(host))
    [entry] = cache_folder().iterdir()
    before = entry.stat().st_mtime_ns
    forget(host, "workspace")
    judged_sessions(host.name, RULES, seen(host))
    assert entry.stat().st_mtime_ns == before


def test_the_processes_that_agents_named_are_asked_for(host: Host, sessions: Path) -> None:
    state = {"execution": {"agents": {"active": {"A1": {"pid": 9_999_999}}}}}
    (sessions / "session-a.json").write_text(json.dumps(state))
    judged_sessions(host.name, RULES, seen(host))
    forget(host, "workspace")
    again = seen(host)
    assert (again.asked, again.running) == ((9_999_999,), ())
    assert again.is_gone(9_999_999, again.now) is True


def test_contents_are_told_by_name(host: Host) -> None:
    names = [".claude/state/session-a.json", ".claude/state/session-none.json"]
    told = ask(host, contents_section("~/app", names))
    assert not isinstance(told, Unknown)
    assert {name: each.content for name, each in told.items()} == {names[0]: b'{"session": {"id": "a"}}'}


def test_the_fact_tells_every_workspace_that_the_spec_names(host: Host, machine: Machine) -> None:
    spec = machine.home / "spec.yaml"
    spec.write_text("sessions: []\norchestration: [{workspace: ~/app}, {workspace: ~/nowhere}]\n")
    host.data.spec = str(spec)
    with ctx_host.use(host):
        first, second = host.get_fact(Sessions)
        gone = host.get_fact(Sessions, path="~/nowhere")
    assert [each["name"] for each in first["sessions"]] == ["session-a.json", "session-b.json", "session-c.json"]
    assert (second["path"], second["trouble"], second["sessions"]) == ("~/nowhere", "is not there", [])
    json.dumps([first, second])
    assert [each["trouble"] for each in gone] == ["is not there"]


def test_a_fleet_without_orchestrations_is_not_asked(host: Host, machine: Machine) -> None:
    spec = machine.home / "spec.yaml"
    spec.write_text("sessions: []\n")
    host.data.spec = str(spec)
    with ctx_host.use(host):
        assert host.get_fact(Sessions) == []


@pytest.mark.slow
def test_fifty_megabytes_over_ssh(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    folder = ssh_host.machine.home / "app" / ".claude" / "state"
    folder.mkdir(parents=True)
    tasks = {
        f"T{number}": {"title": f"task {number * 7919 % 100_003}", "status": "pending"} for number in range(800_000)
    }
    (folder / "session-large.json").write_text(json.dumps({"execution": {"tasks": tasks}}))
    (folder / "session-small.json").write_text("{}")
    assert (folder / "session-large.json").stat().st_size > 45_000_000
    done = ssh_fleet.pyinfra("mugen", "fact", "facts.workspace.Sessions", "path=~/app")
    assert done.code == 0, done.output
    assert '"status": "unknown"' in done.output
    assert done.seconds < 15
