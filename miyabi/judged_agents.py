"""The agents of a host, each with what is made of it and what it needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from miyabi import spec, state
from miyabi.agent_judgement import judge_agent
from miyabi.agent_kind import AgentKind, kind_of
from miyabi.agent_remedy import AgentCase, AgentRemedy, remedy_for
from miyabi.agent_state import AgentPane, Heartbeat, Judgement
from miyabi.drift import Target
from miyabi.match import PaneMatch, SessionMatch
from miyabi.subjects import AGENT


@dataclass(frozen=True, slots=True)
class JudgedAgent:
    """An agent of the spec.

    + pane: as the spec has it
    + there: as tmux has it; None when it is not there
    + seen: what its screen showed; None when it was not read
    + is_managed: whether its pane carries the spec's name: what only looks like it is adopted first
    + heartbeat: None when it was not asked
    """

    target: Target
    pane: spec.Pane
    there: state.Pane | None
    seen: AgentPane | None
    kind: AgentKind | None
    judged: Judgement
    remedy: AgentRemedy
    is_managed: bool = True
    heartbeat: Heartbeat | None = field(default=None)

    @property
    def name(self) -> str:
        """How its cases are called: what is held, told and remembered of it is told apart from its pane's restarts."""
        return f"{AGENT}{self.target}"


def judged_agents(
    matches: Iterable[SessionMatch],
    seen: state.Host,
    kinds: Mapping[str, AgentKind],
    heartbeats: Mapping[str, Heartbeat] | None = None,
) -> Iterator[JudgedAgent]:
    """The agents of a spec, in its order; none when nothing was seen of them.

    + seen: the host as it was observed
    + kinds: all that are known, by name
    + heartbeats: of suspects, by tmux's id of their panes
    """
    agents = seen.agents
    if agents is None:
        return
    panes = {each.pane_id: each for each in agents.panes}
    for target, match in _panes(matches):
        pane, there, agent = match.pane, match.seen, match.pane.agent or spec.Agent()
        shown = panes.get(there.pane_id) if there else None
        heartbeat = (heartbeats or {}).get(there.pane_id) if there else None
        kind = kind_of(pane, kinds)
        judged = judge_agent(pane, there, shown, seen.processes, kind, agents, heartbeat=heartbeat, now=agents.now)
        remedy = remedy_for(AgentCase(judged, agent, kind, shown.nudged_for if shown else "", agents.now))
        yield JudgedAgent(target, pane, there, shown, kind, judged, remedy, match.marked, heartbeat)


def _panes(matches: Iterable[SessionMatch]) -> Iterator[tuple[Target, PaneMatch]]:
    for session in matches:
        for window in session.windows:
            for match in window.panes:
                if match.pane.agent is not None:
                    yield Target(session.session.session_name, window.window.name, match.pane.name), match
