"""What the coding agents on a host show: their screens, since when these are the same, and their conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from pyinfra.api import FactBase
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import ctx_host
from typing_extensions import override

from facts.host_kinds import host_kinds
from facts.host_spec import host_spec
from facts.probe import Section, probe_script, read_section, split_sections
from facts.processes import processes_section
from facts.tmux import tmux_section
from miyabi import spec, state
from miyabi.errors import MiyabiError, ParseError
from miyabi.packed import unpacked

# What only a fleet with agents needs is imported where it is used: the levels import this module in every run.
if TYPE_CHECKING:
    from miyabi import agent_state
    from miyabi.agent_kind import AgentKind

# The most bytes that an answer may have when it is unpacked.
_MOST = 64_000_000


def agents_section(
    wanted: spec.Spec, kinds: Mapping[str, AgentKind], *, marks: bool, registered: bool = True
) -> Section[agent_state.Agents]:
    """The section that looks at every pane of the spec that has an agent.

    + kinds: what is known of kinds of agents, by name
    + marks: whether the panes are marked with what was seen, so that the next look can tell since when it is so
    + registered: whether what is registered counts; without it each agent's candidates are told

    What looks like a secret is masked.
    """
    from facts.agents_script import Asked, agents_script  # noqa: PLC0415 - only a fleet with agents pays for it
    from miyabi.agent_kind import kind_of  # noqa: PLC0415 - as above
    from miyabi.conversation import REGISTER, file_name  # noqa: PLC0415 - as above

    asked = []
    for pane in agent_panes(wanted):
        kind = kind_of(pane, kinds)
        known = (kind.name, kind.transcripts, kind.candidates) if kind else ("", "", "")
        register = f"{file_name(pane.name)}.session" if registered else "-"
        asked.append(Asked(pane.name, register, pane.start_directory, *known))
    script = agents_script(asked, REGISTER, wanted.tmux.socket_name, marks=marks)
    parse = partial(_parse, [each.name for each in asked], [each.transcripts for each in asked])
    return Section("agents" if registered else "agents_unregistered", script, parse)


def agent_panes(wanted: spec.Spec) -> Iterator[spec.Pane]:
    """The panes of a spec that have an agent, in its order."""
    for session in wanted.sessions:
        for window in session.windows:
            yield from (pane for pane in window.panes if pane.agent is not None)


def _parse(names: Sequence[str], transcripts: Sequence[str], lines: list[str]) -> agent_state.Agents:
    from miyabi.agent_listing import parse_agents  # noqa: PLC0415 - as above

    if not lines:
        raise ParseError("nothing was told of the agents")
    packing, *body = lines
    try:
        text = unpacked(packing, body, _MOST)
    except ValueError as error:
        raise ParseError(f"what it tells of the agents is cut off: {error}") from error
    return parse_agents(text.decode(errors="replace"), names, transcripts)


class AgentSummary(TypedDict):
    """One agent, as ``Agents`` tells it; times are seconds since the epoch on the host, None is unknown."""

    condition: str
    confidence: float
    since: float | None
    until: float | None
    detail: str
    lines: list[str]
    session_id: str | None
    kind: str | None


class Agents(FactBase[dict[str, AgentSummary]]):
    """Return the condition of each agent that the host's spec has, by its target; one execution that changes nothing.

    ``since`` tells how long the screen has been the same, as far as a recovery has looked before; ``until`` when the
    condition ends by itself; ``lines`` are those that decided. Whether an agent that says it works but shows nothing
    new is ``stalled`` takes a second look, which only a recovery takes: ``detail`` tells of it.

    ``{}`` when the spec has no agents. None, with an error on the host, means that what it runs is unknown, or that
    its spec or the files about agents cannot be read.

    .. code:: python

        {"work:main.kaede": {"condition": "limited", "confidence": 0.95, "since": 1795225010.0, "until": 1795237200.0,
                             "detail": "until 20:00", "lines": ["You've hit your session limit"],
                             "session_id": "0b6c52a7-4a55-4a0e-9d7f-2f1f7a0f6b11", "kind": "claude"}}

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.agents.Agents
    """

    @override
    def command(self) -> str:
        """The probe with tmux, the processes and the agents."""
        wanted = _wanted()
        # An error here would end the run for all hosts: `process` tells it, for this one.
        return probe_script([Section("spec", ":", list)] if isinstance(wanted, str) else _sections(*wanted))

    @override
    def process(self, output: list[str]) -> dict[str, AgentSummary]:
        """Judge every agent by what the sections tell."""
        wanted, found = _wanted(), split_sections(output)
        if isinstance(wanted, str):
            raise FactProcessError(wanted)
        if not any(agent_panes(wanted[0])):
            return {}
        try:
            tmux, processes, agents = (read_section(section, found) for section in _sections(*wanted))
        except ParseError as error:
            raise FactProcessError(f"the agents are unknown: {error}") from error
        return summarise_agents(*wanted, tmux, processes, agents)


def _wanted() -> tuple[spec.Spec, Mapping[str, AgentKind]] | str:
    """The current host's spec with the kinds of agents that are known for it, or why there is none."""
    if not ctx_host.isset():
        return "no host is asked"
    try:
        wanted = host_spec(ctx_host.get())
        return wanted, host_kinds(ctx_host.get()) if any(agent_panes(wanted)) else {}
    except MiyabiError as error:
        return str(error)


def _sections(wanted: spec.Spec, kinds: Mapping[str, AgentKind]) -> tuple[Section[Any], ...]:
    agents = agents_section(wanted, kinds, marks=False)
    return tmux_section(wanted.tmux.socket_name), processes_section(), agents


def summarise_agents(
    wanted: spec.Spec,
    kinds: Mapping[str, AgentKind],
    tmux: state.Tmux,
    processes: tuple[state.Process, ...],
    agents: agent_state.Agents,
) -> dict[str, AgentSummary]:
    """The agents of a spec by their targets, each judged by what one look saw."""
    from miyabi.judged_agents import judged_agents  # noqa: PLC0415 - as above
    from miyabi.match import match_sessions  # noqa: PLC0415

    seen = state.Host(tmux=tmux, processes=processes, agents=agents)
    return {
        str(each.target): {
            "condition": each.judged.condition,
            "confidence": each.judged.confidence,
            "since": each.seen.same_since if each.seen else None,
            "until": each.judged.until,
            "detail": each.judged.detail,
            "lines": list(each.judged.lines),
            "session_id": known.session_id if (known := agents.conversations.get(each.pane.name)) else None,
            "kind": each.kind.name if each.kind else None,
        }
        for each in judged_agents(match_sessions(wanted, tmux, processes), seen, kinds)
    }
