"""Looks at the agents of a machine, by the probe alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facts.agents import agents_section
from facts.probe import Section, probe_script, read_section, split_sections
from miyabi.agent_kind import AgentKind
from miyabi.agent_state import AgentPane, Agents
from miyabi.spec import Agent, Command, Pane, Session, Spec, Window
from tests.facts.hosts import run_script
from tests.fleet.tmux import TmuxServer

KINDS = {
    "claude": AgentKind(
        "claude",
        programs=("claude",),
        transcripts="~/.claude/projects/*/{session_id}.jsonl",
        candidates="~/.claude/projects/{folder}/*.jsonl",
    ),
    "codex": AgentKind(
        "codex",
        programs=("codex",),
        transcripts="~/.codex/sessions/*/*/*/rollout-*-{session_id}.jsonl",
        candidates="~/.codex/sessions/*/*/*/rollout-*.jsonl",
    ),
}


def pane_of(name: str, command: str = "claude", folder: str | None = None) -> Pane:
    """A pane of a spec with an agent in it."""
    return Pane(name, commands=(Command(command),), start_directory=folder, agent=Agent())


def spec_of(*panes: Pane) -> Spec:
    """A spec with these panes."""
    return Spec("spec.yaml", "0", sessions=(Session("work", windows=(Window("main", panes=panes),)),))


@dataclass(frozen=True, slots=True)
class Looker:
    """Somebody who looks at a machine's panes.

    + tmux: its server, which need not run
    + wanted: the spec
    + shell: in which the probe runs
    """

    tmux: TmuxServer
    wanted: Spec
    shell: str = "dash"

    def section(self, *, marks: bool = True) -> Section[Agents]:
        """What is asked."""
        return agents_section(self.wanted, KINDS, marks=marks)

    def look(self, *, marks: bool = True) -> Agents:
        """What one look sees."""
        section = self.section(marks=marks)
        lines = run_script(self.shell, probe_script([section]), self.tmux.machine.environment)
        return read_section(section, split_sections(lines))

    def pane(self, name: str, *, marks: bool = True) -> AgentPane:
        """What one look sees of the pane of that name."""
        [found] = [each for each in self.look(marks=marks).panes if each.name == name]
        return found

    def under(self, shell: str) -> Looker:
        """The same with another shell."""
        return replace(self, shell=shell)


def mark(tmux: TmuxServer, target: str, name: str) -> str:
    """Give a pane a name of the spec's; returns its id."""
    tmux.run("set-option", "-p", "-t", target, "@miyabi_pane", name)
    return tmux.run("display-message", "-p", "-t", target, "#{pane_id}")


def option(tmux: TmuxServer, pane_id: str, name: str) -> str:
    """An option of a pane; "" when it has none."""
    return tmux.run("show-options", "-p", "-v", "-q", "-t", pane_id, name)
