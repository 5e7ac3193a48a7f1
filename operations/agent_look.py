"""The agents of a host as a run sees them: each with its condition, a suspect's heartbeat asked, and what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from facts.host_kinds import host_kinds
from facts.observation import Unknown, ask, forget
from miyabi import spec, state
from miyabi.agent_remedy import AgentRemedy
from miyabi.agent_state import Agents, Heartbeat, Judgement
from miyabi.drift import Drift, Target
from miyabi.judged_agents import JudgedAgent, judged_agents
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
    """An agent whose pane is there and managed.

    + there: its pane, as tmux has it
    + judged_by: all that was made of it
    + clock: what to add to a moment on the host to have it on this machine, in seconds
    """

    there: state.Pane
    judged_by: JudgedAgent
    clock: float = 0.0

    @property
    def target(self) -> Target:
        """What it is in the spec."""
        return self.judged_by.target

    @property
    def name(self) -> str:
        """How its cases are called."""
        return self.judged_by.name

    @property
    def judged(self) -> Judgement:
        """Its condition."""
        return self.judged_by.judged

    @property
    def remedy(self) -> AgentRemedy:
        """What it needs."""
        return self.judged_by.remedy

    @property
    def unchanged_since(self) -> float | None:
        """Since when its screen is the same, on this machine's clock; None when nobody knows."""
        since = self.judged_by.seen.same_since if self.judged_by.seen else None
        return None if since is None else since + self.clock


def looked_agents(host: Host, matches: Sequence[SessionMatch], seen: state.Host) -> tuple[LookedAgent, ...]:
    """The agents of ``host``, judged by what was seen of them; the same look is judged once."""
    if seen.agents is None:
        return ()
    known = cast("tuple[Agents, tuple[LookedAgent, ...]] | None", host.connector_data.get(_LOOKED))
    if known is not None and known[0] is seen.agents:
        return known[1]
    kinds = host_kinds(host)
    judged = tuple(judged_agents(matches, seen, kinds))
    suspects = [each.there for each in judged if each.judged.suspect and each.there is not None]
    if suspects:
        judged = tuple(judged_agents(matches, seen, kinds, _heartbeats(host, suspects, seen.processes or ())))
    clock = now() - seen.agents.now
    found = tuple(LookedAgent(each.there, each, clock) for each in judged if each.there and each.is_managed)
    host.connector_data[_LOOKED] = (seen.agents, found)
    return found


def _heartbeats(
    host: Host, suspects: Iterable[state.Pane], processes: tuple[state.Process, ...]
) -> dict[str, Heartbeat]:
    """What the processes of some panes do, by tmux's id, asked in one execution."""
    from facts.heartbeat import heartbeats_section  # noqa: PLC0415 - only a suspect needs it

    trees = {pane.pane_id: [each.pid for each in descendants(processes, pane.pid or 0)] for pane in suspects}
    forget(host, "heartbeat")
    answer = ask(host, heartbeats_section({pane_id: pids for pane_id, pids in trees.items() if pids}))
    return {} if isinstance(answer, Unknown) else answer


def stalled_drifts(agents: Iterable[LookedAgent], found: Iterable[Drift]) -> Iterator[Drift]:
    """The drift of agents that are proved to do nothing any more.

    + found: what else is wrong: what is wrong with a pane in another way is repaired in that way
    """
    wrong = {drift.target for drift in found}
    for each in agents:
        if each.remedy.does == "restart" and each.judged_by.pane.restart != "never" and each.target not in wrong:
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
        stopped = agent.judged_by.heartbeat.stopped if agent.judged_by.heartbeat else ()
        return replace(action, ends=end_stalled(pane.pane_id, pane.pid, pids, stopped, server))

    return tuple(first(action) for action in actions)
