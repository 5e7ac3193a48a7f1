"""The agents of a host as a run sees them: each with its condition, a suspect's heartbeat asked, and what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from facts.host_kinds import host_kinds
from facts.observation import Unknown, ask, ask_together, forget
from miyabi import spec, state
from miyabi.agent_judgement import judge_agent
from miyabi.agent_kind import AgentKind, kind_of
from miyabi.agent_remedy import AgentCase, AgentRemedy, remedy_for
from miyabi.agent_state import AgentPane, Agents, Heartbeat, Judgement
from miyabi.drift import Drift, Target
from miyabi.levels import Level
from miyabi.match import SessionMatch
from miyabi.plan import Action
from miyabi.processes import descendants
from operations.memory import now

if TYPE_CHECKING:
    from pyinfra.api import Host

_LOOKED = "miyabi_agents"


@dataclass(frozen=True, slots=True)
class LookedAgent:
    """An agent of the spec whose pane is there.

    + pane: as the spec has it
    + there: as tmux has it
    + seen: what its screen showed; None when it was not read
    + heartbeat: None when it was not a suspect
    + clock: what to add to a moment on the host to have it on this machine, in seconds
    """

    target: Target
    pane: spec.Pane
    there: state.Pane
    seen: AgentPane | None
    kind: AgentKind | None
    judged: Judgement
    remedy: AgentRemedy
    heartbeat: Heartbeat | None = None
    clock: float = 0.0

    @property
    def name(self) -> str:
        """How its cases are called: what is held, told and remembered of it is told apart from its pane's restarts."""
        return f"agent {self.target}"

    @property
    def unchanged_since(self) -> float | None:
        """Since when its screen is the same, on this machine's clock; None when nobody knows."""
        since = self.seen.same_since if self.seen else None
        return None if since is None else since + self.clock


def looked_agents(host: Host, matches: Sequence[SessionMatch], seen: state.Host) -> tuple[LookedAgent, ...]:
    """The agents of ``host``, judged by what was seen of them; the same look is judged once."""
    if seen.agents is None:
        return ()
    known = cast("tuple[Agents, tuple[LookedAgent, ...]] | None", host.connector_data.get(_LOOKED))
    if known is not None and known[0] is seen.agents:
        return known[1]
    found = tuple(_judged(host, matches, seen, seen.agents))
    host.connector_data[_LOOKED] = (seen.agents, found)
    return found


def _judged(host: Host, matches: Sequence[SessionMatch], seen: state.Host, agents: Agents) -> Iterator[LookedAgent]:
    kinds = host_kinds(host)
    panes = {each.pane_id: each for each in agents.panes}
    first = []
    for target, wanted, there in _there(matches):
        shown, kind = panes.get(there.pane_id), kind_of(wanted, kinds)
        judged = judge_agent(wanted, there, shown, seen.processes, kind, agents, now=agents.now)
        first.append((target, wanted, there, shown, kind, judged))
    suspects = [there for _, _, there, _, _, judged in first if judged.suspect]
    heartbeats = _heartbeats(host, suspects, seen.processes or ())
    for target, wanted, there, shown, kind, at_first in first:
        heartbeat, judged = heartbeats.get(there.pane_id), at_first
        if heartbeat is not None:
            judged = judge_agent(
                wanted, there, shown, seen.processes, kind, agents, heartbeat=heartbeat, now=agents.now
            )
        agent = wanted.agent or spec.Agent()
        case = AgentCase(judged, agent, kind, shown.nudged_for if shown else "", agents.now)
        clock = now() - agents.now
        yield LookedAgent(target, wanted, there, shown, kind, judged, remedy_for(case), heartbeat, clock)


def _there(matches: Iterable[SessionMatch]) -> Iterator[tuple[Target, spec.Pane, state.Pane]]:
    """The panes of agents that are managed already: what only looks like one is adopted first."""
    for session in matches:
        for window in session.windows:
            for match in window.panes:
                if match.pane.agent is not None and match.seen is not None and match.marked:
                    target = Target(session.session.session_name, window.window.name, match.pane.name)
                    yield target, match.pane, match.seen


def _heartbeats(
    host: Host, suspects: Iterable[state.Pane], processes: tuple[state.Process, ...]
) -> dict[str, Heartbeat]:
    """What the processes of some panes do, by tmux's id, asked in one execution."""
    from facts.heartbeat import heartbeat_section  # noqa: PLC0415 - only a suspect needs it

    trees = {pane.pane_id: descendants(processes, pane.pid or 0) for pane in suspects}
    sections = {pane_id: heartbeat_section([each.pid for each in tree]) for pane_id, tree in trees.items() if tree}
    forget(host, "heartbeat")
    ask_together(host, sections.values())
    found = {}
    for pane_id, section in sections.items():
        heartbeat = ask(host, section)
        if not isinstance(heartbeat, Unknown):
            found[pane_id] = heartbeat
    return found


def stalled_drifts(agents: Iterable[LookedAgent], found: Iterable[Drift]) -> Iterator[Drift]:
    """The drift of agents that are proved to do nothing any more.

    + found: what else is wrong: what is wrong with a pane in another way is repaired in that way
    """
    wrong = {drift.target for drift in found}
    for each in agents:
        if each.remedy.does == "restart" and each.pane.restart != "never" and each.target not in wrong:
            yield Drift("agent-stalled", each.target, Level.L1, each.remedy.reason)


def ending_stalled(
    actions: Iterable[Action],
    agents: Iterable[LookedAgent],
    processes: tuple[state.Process, ...],
    server: spec.TmuxServer,
) -> tuple[Action, ...]:
    """The actions; one that starts an agent in the place of a stalled one ends that first."""
    from miyabi.stalled import end_stalled  # noqa: PLC0415 - this is rare

    stalled = {each.target: each for each in agents if each.remedy.does == "restart"}

    def first(action: Action) -> Action:
        agent = stalled.get(action.target)
        pane = agent.there if agent else None
        if agent is None or pane is None or pane.pid is None or pane.dead or action.level is not Level.L1:
            return action
        pids = [each.pid for each in descendants(processes, pane.pid)]
        stopped = agent.heartbeat.stopped if agent.heartbeat else ()
        return replace(action, ends=end_stalled(pane.pane_id, pane.pid, pids, stopped, server))

    return tuple(first(action) for action in actions)
