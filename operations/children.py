"""Agents that go on although the agent that began them is dead: ended, where the spec says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyinfra import logger

from miyabi.masking import shown
from miyabi.orchestration.heal_agents import living_children
from miyabi.orchestration.session_json import read_state
from miyabi.orchestration.workspace import SeenProcess, SeenWorkspace
from miyabi.state_material import Decide, Decision, Material, agent_pids
from operations.host_workspace import HostWorkspace, run

if TYPE_CHECKING:
    from pyinfra.api import Host

# Half seconds that a process has to end by itself before it is killed, and after that.
_ENDING = 10

# Seconds by which a host tells the beginning of a process inexactly.
_INEXACT = 2.0


def noting_children(decide: Decide, found: dict[str, int]) -> Decide:
    """The same decisions; ``found`` gets the living children of dead agents, with their pids."""

    def noted(material: Material) -> Decision | None:
        state = read_state(material.content).state if material.content is not None else None
        if state is not None and material.content is not None:
            pids = agent_pids(material.content)
            found.update({name: pids[name] for name in living_children(state, material.evidence) if name in pids})
        return decide(material)

    return noted


def end_children(host: Host, there: HostWorkspace, subject: str, children: Mapping[str, int]) -> None:
    """End processes on ``host``, if the gate allows it; what could not be ended is told.

    + children: pids by the names of the agents
    """
    from miyabi.gate_types import Request  # noqa: PLC0415 - only where somebody is to be ended
    from operations.gate_question import ask_gate  # noqa: PLC0415

    before = there.look(tuple(children.values()))
    for name, pid in children.items():
        # A target of its own: what was tried on the state a moment ago asks for no pause here.
        target = f"{subject} {shown(name)}"
        [decision] = ask_gate(
            host, [Request(host=host.name, target=target, does="interrupt", cause="state-damaged", disturbs=True)]
        )
        if not decision.allowed:
            host.log(f"{subject}: {shown(name)} is left running: {decision.reason}")
            continue
        if not _is_same(before, there.look([pid]), pid):
            continue
        ran = run(host, _end_script(pid))
        if ran.code == 0:
            host.log(f"{subject}: ended {shown(name)} (process {pid}), whose parent is dead")
        else:
            host.log_styled(f"{subject}: {shown(name)} (process {pid}) does not end", fg="red", log_func=logger.error)


def _is_same(before: SeenWorkspace, now: SeenWorkspace, pid: int) -> bool:
    """Whether the pid is still the same process's."""
    first, last = _process(before, pid), _process(now, pid)
    return first is not None and last is not None and abs(first.began_at - last.began_at) <= _INEXACT


def _process(seen: SeenWorkspace, pid: int) -> SeenProcess | None:
    return next((each for each in seen.running if each.pid == pid), None)


def _end_script(pid: int) -> str:
    return f"""for signal in TERM KILL; do
  kill -$signal {pid} 2>/dev/null; left={_ENDING}
  while [ "$left" -gt 0 ]; do
    kill -0 {pid} 2>/dev/null || exit 0
    case $(ps -o stat= -p {pid} 2>/dev/null) in Z*) exit 0;; esac
    sleep 0.5 2>/dev/null || sleep 1; left=$((left - 1))
  done
done
exit 1"""
