"""Every fault of the sandbox's `all` at once: each damage is put down to what was done to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from facts.evidence import evidence_section
from facts.fleet_health import _upkeep
from facts.host import ladder_sections, state_of
from facts.integrations import integrations_section
from facts.observation import Unknown
from facts.probe import Section, probe_script, read_section, split_sections
from facts.upkeep import upkeep_sections
from facts.workspace import judged_sessions, workspace_section
from miyabi import state
from miyabi.cause import attribute, evidence_of_drift, evidence_of_finding, find_pane
from miyabi.config_check import flaw
from miyabi.drift import Drift, find_drift
from miyabi.errors import ParseError
from miyabi.last_words import LastWords
from miyabi.match import match_sessions
from miyabi.orchestration.report_words import in_words, sick
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.records import Observation
from miyabi.sandbox import lifecycle, programs
from miyabi.sandbox.faults import ALL, inject
from miyabi.sandbox.fleet import Sandbox, SandboxHost
from miyabi.spec import Spec
from miyabi.spec_file import load_spec
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.programs import required

Causes = Mapping[tuple[str, str], str]

# What each fault damages, and the cause of that. A slow network damages nothing; what is wrong with an instance is told
# by EC2, not by a look at the host.
EXPECTED: Mapping[str, Causes] = {
    "agent-kill": {("mugen", "miyabi:codegen.kaede"): "killed"},
    "agent-crash": {("mugen", "miyabi:tests.botan"): "failed: exit 1"},
    "agent-oom": {("mugen", "miyabi:tests.ayame"): "oom"},
    "agent-exit": {("macbook", "miyabi:main.yuri"): "interrupted"},
    "pane": {("macbook", "miyabi:review.review-shell"): "closed"},
    "window": {("mugen", "miyabi:review"): "closed"},
    "session": {("macbook", "orchestra"): "closed"},
    "server": {("pixel", "monitor"): "server-lost"},
    "sshd": {("pixel", "sshd"): "sshd-down", ("mugen", "sshd"): "sshd-down"},
    "mcp": {("mugen", "server miyabi-tmux"): "mcp-down", ("macbook", "server miyabi-desk"): "mcp-down"},
    "config-corrupt": {
        ("mugen", "config ~/.miyabi/config.json"): "config-broken",
        ("mugen", "config ~/.miyabi/agents.toml"): "config-broken",
        ("macbook", "config ~/.miyabi/config.json"): "config-broken",
    },
    "state-torn": {("mugen", "orchestration ~/repos/miyabi"): "state-damaged"},
    "state-zombie": {("macbook", "orchestration ~/repos/miyabi"): "state-damaged"},
    "state-cycle": {("macbook", "orchestration ~/repos/miyabi"): "state-damaged"},
    "log-flood": {("mugen", "log ~/.miyabi/logs/*.log"): "log-overgrown"},
    "disk-full": {("mugen", "disk"): "disk-full"},
    "temp": {("pixel", "temp $TMPDIR/claude-*"): "litter"},
    "integration": {("mugen", "integration github"): "git"},
    "slow-network": {},
    "instance-stopped": {},
}


def expected_causes(*, isolated: bool) -> Causes:
    """The cause of each damage that the faults do; a small disk takes hosts with root folders of their own."""
    named = [causes for fault, causes in EXPECTED.items() if isolated or fault != "disk-full"]
    expected = {where: cause for causes in named for where, cause in causes.items()}
    # A bare exit code beside a full disk is put down to that.
    return expected | dict.fromkeys(EXPECTED["agent-crash"], "disk-full") if isolated else expected


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a host, as a run goes it."""

    machine: Machine
    sandbox: Sandbox
    host: SandboxHost

    def ask(self, sections: Sequence[Section[Any]]) -> dict[str, object]:
        """What the sections tell, by title."""
        ssh = ("ssh", "-F", str(self.sandbox.ssh_config), self.host.name, "sh")
        done = self.machine.run(*ssh, stdin=probe_script(sections))
        printed = split_sections(done.stdout.splitlines())
        return {section.title: _read(section, printed) for section in sections}


def _read(section: Section[Any], printed: dict[str, tuple[int, list[str]]]) -> object:
    try:
        return read_section(section, printed)
    except ParseError as error:
        return Unknown(str(error))


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a host: its state, its drifts, and what of its ground is not as the spec wants it."""

    seen: state.Host
    drifts: tuple[Drift, ...]
    ground: Mapping[str, str]
    words: LastWords | None


@pytest.fixture
def converged(test_run: TestRun, machine: Machine) -> Iterator[Sandbox]:
    """A sandbox as its specs want it."""
    required("sshd")
    parent = test_run.new_folder("causes")
    folder = parent / "s"
    sandbox = lifecycle.up(folder, plain=not programs.can_isolate())
    try:
        done = machine.run("pyinfra", str(sandbox.inventory), "deploys/recover.py", "-y", cwd=REPOSITORY)
        assert done.code == 0, done.output
        yield sandbox
    finally:
        lifecycle.down(folder)
        parent.rmdir()


def look_at(way: Way) -> Look:
    """What a run sees of a host before it does anything."""
    wanted = load_spec(way.sandbox.folder / "specs" / f"{way.host.name}.yaml", base_directory="~")
    asked = time.time()
    sections = {section.title: section for section in (*ladder_sections(wanted), *upkeep_sections(wanted))}
    answers = way.ask(list(sections.values()))
    ladder = {section.title for section in ladder_sections(wanted)}
    seen = state_of({title: answer for title, answer in answers.items() if title in ladder})
    assert seen.tmux is not None, seen.unknown
    drifts = find_drift(match_sessions(wanted, seen.tmux, seen.processes), seen)
    # Workspaces are asked for through a run's host, which is not here.
    found = _upkeep(replace(wanted, orchestration=()), answers, seen, (asked, time.time()))
    ground = {each.target: each.reason for each in found if each.kind != "warning"}
    panes = [pane.pane_id for drift in drifts if (pane := find_pane(drift, seen)) is not None]
    words = way.ask([evidence_section(panes, wanted.tmux)]) if panes else {}
    told = next(iter(words.values()), None)
    return Look(
        seen,
        tuple(drift for drift in drifts if drift.kind != "unmarked"),
        ground | flaws(way.host, wanted) | unreachable(way, wanted) | sick_states(way, wanted),
        told if isinstance(told, LastWords) else None,
    )


def flaws(host: SandboxHost, wanted: Spec) -> dict[str, str]:
    """What is wrong with the host's configuration files, as its operation judges them."""
    found = {}
    for file in wanted.config_files:
        content = (host.home / file.path.removeprefix("~/")).read_bytes()
        if reason := flaw(content, file.format):
            found[f"config {file.path}"] = reason
    return found


def sick_states(way: Way, wanted: Spec) -> dict[str, str]:
    """What is wrong with the state of the host's orchestrations, as a run judges it."""
    found = {}
    for rules in wanted.orchestration:
        (seen,) = way.ask([workspace_section(rules)]).values()
        assert isinstance(seen, SeenWorkspace), seen
        reports = sick(judged_sessions(f"{way.host.name} before", rules, seen))
        if reports:
            found[f"orchestration {rules.workspace}"] = in_words(reports)
    return found


def unreachable(way: Way, wanted: Spec) -> dict[str, str]:
    """What is wrong with the services that the host needs."""
    if not wanted.integrations:
        return {}
    section = integrations_section(wanted.integrations)
    (answer,) = way.ask([section]).values()
    assert isinstance(answer, tuple)
    return {
        f"integration {each.name}": reach.cause
        for each, reach in zip(wanted.integrations, answer, strict=True)
        if reach and not reach.reachable
    }


def causes_of(host: str, look: Look, before: Look) -> dict[tuple[str, str], str]:
    """The cause of each damage of a host."""
    boot = before.seen.boot
    well = Observation(
        event="1", run="1", at=time.time(), host=host, health="healthy", boot_id=boot.boot_id if boot else None
    )
    fleet = {
        (host, str(drift.target)): attribute(evidence_of_drift(drift, look.seen, look.words, well)).name
        for drift in look.drifts
    }
    ground = {
        (host, subject): attribute(evidence_of_finding(subject, reason, look.seen)).name
        for subject, reason in look.ground.items()
    }
    return fleet | ground


def test_there_is_a_cause_for_each_fault() -> None:
    assert set(EXPECTED) == set(ALL)


@pytest.mark.slow
def test_each_fault_is_put_down_to_what_was_done(converged: Sandbox, machine: Machine) -> None:
    ways = {name: Way(machine, converged, host) for name, host in converged.hosts.items()}
    before = {name: look_at(way) for name, way in ways.items()}
    assert {name: (look.drifts, look.ground) for name, look in before.items()} == {name: ((), {}) for name in before}
    list(inject(converged, "all"))
    found: dict[tuple[str, str], str] = {}
    for name, way in ways.items():
        found |= causes_of(name, look_at(way), before[name])
    expected = expected_causes(isolated=converged.host("mugen").isolated)
    assert set(found) == set(expected)
    wrong = {where: cause for where, cause in found.items() if cause != expected[where]}
    assert len(wrong) <= 0.05 * len(expected), wrong
