"""Tasks of a host's agents: given to them, handed back after a restart, and given to others when they fail."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from time import sleep
from typing import TYPE_CHECKING

from pyinfra import host, logger

from facts.host import LADDER, observe
from facts.host_kinds import host_kinds
from facts.host_spec import host_spec
from facts.observation import Unknown, ask, ask_together, forget
from facts.tasks import done_section, register_section, work_section
from miyabi import state as observed
from miyabi.agent_kind import kind_of
from miyabi.agent_state import Judgement
from miyabi.drift import reason_to_refuse
from miyabi.match import program_name, program_of
from miyabi.partial_work import Work, assess, unknown_work
from miyabi.processes import descendants
from miyabi.spec import Pane, Spec
from miyabi.task_assignment import Register, mark_of
from miyabi.task_plan import AgentNow, agent_now, asked_about, plan_tasks
from miyabi.task_registry import Registry, TaskEntry, agent_panes, registry_of
from operations.gate import operation
from operations.refusal import refusal
from operations.task_steps import Carrying, panes_of
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host
    from pyinfra.api.command import PyinfraCommand


# Seconds between two looks that have to agree, and after which a file is not in the middle of being written any more.
TWO_LOOKS = 2.2
_YOUNG = 10.0


@operation()
def assigned() -> Generator[PyinfraCommand]:
    """Ensure that each task of the host's spec is done by the agent that has it, or is told to a human.

    A task is begun when all that it needs is done, by an agent that certainly waits for a line. One whose agent was
    started again is handed back to it, given to another one of its role, or told, by what is left of the work on it
    (see docs/tasks.md). It comes after the levels, which bring back the agents.

    **Example:**

    .. code:: python

        from operations import tasks

        tasks.assigned(name="Tasks")
    """
    wanted = host_spec(host)
    if not wanted.tasks:
        host.noop("the spec has no tasks")
        return
    register = ask(host, register_section(wanted))
    seen = observe(host, wanted)
    reason = register.reason if isinstance(register, Unknown) else reason_to_refuse(wanted, seen)
    if isinstance(register, Unknown) or reason is not None:
        yield from _unknown(reason or "")
        return
    registry = registry_of(wanted, register)
    agents = agents_now(host, wanted, seen)
    if any(each.is_settling and _has_something(each, registry) for each in agents.values()) and host.state.is_executing:
        # One look alone believes no screen.
        sleep(TWO_LOOKS)
        forget(host, *LADDER)
        seen = observe(host, wanted)
        agents = agents_now(host, wanted, seen)
    due = asked_about(registry, agents)
    works = _looked_at(host, wanted, due)
    registry = registry_of(wanted, register, _done(host, due))
    steps = plan_tasks(registry, agents, works, register.now)
    _tell_troubles(registry, register)
    yield from Carrying(wanted, seen, register).out(steps)


def _has_something(agent: AgentNow, registry: Registry) -> bool:
    """Whether something may have to be said to an agent."""
    known = registry.agent(agent.name)
    held = registry.task(known.task) if known else None
    if held is not None and held.assignment is not None:
        return held.assignment.mark != agent.mark or held.task.done_when is not None
    return known is not None and (bool(known.withdrawn) or any(each.state == "ready" for each in registry.tasks))


def _tell_troubles(registry: Registry, register: Register) -> None:
    """Tell of files that are not believed; one that was written just now may still be written."""
    written = {each.name: each for each in (*register.checkpoints.values(), *register.assignments.values())}
    told = []
    for _, trouble in registry.troubles:
        name = trouble.reason.partition(" ")[0].rstrip(":")
        young = name in written and register.now - written[name].changed_at < _YOUNG
        if not (young and trouble.kind in {"torn", "empty"}):
            told.append(trouble.reason)
    if told:
        note(host, "tasks", "warning", "; ".join(told))
        host.log_styled(f"tasks: not believed: {'; '.join(told)}", fg="yellow", log_func=logger.warning)


def _unknown(reason: str) -> Generator[PyinfraCommand]:
    """What is unknown is not acted on, and is told once."""
    note(host, "tasks", "warning", f"who has which task is unknown: {reason}")
    yield refusal(f"tasks: nothing is given to anybody: {reason}")


def agents_now(target: Host, wanted: Spec, seen: observed.Host) -> dict[str, AgentNow]:
    """How each agent of a host is, as far as its tasks are concerned, by the name of its pane."""
    from miyabi.agent_judgement import judge_agent  # noqa: PLC0415 - only a fleet with tasks pays for it

    kinds = host_kinds(target)
    there = {pane.name: pane for pane in panes_of(seen) if pane.name}
    screens = {each.name: each for each in (seen.agents.panes if seen.agents else ())}
    found = {}
    for _, pane in agent_panes(wanted):
        has, shows = there.get(pane.name), screens.get(pane.name)
        judged: Judgement | None = None
        if seen.agents is not None and has is not None:
            kind = kind_of(pane, kinds)
            judged = judge_agent(pane, has, shows, seen.processes, kind, seen.agents, now=seen.agents.now)
        elif seen.tmux is not None:
            # The levels had their turn, and it is not there.
            judged = Judgement("dead", detail="its pane is not there") if has is None else None
        led = seen.agents.conversations.get(pane.name) if seen.agents else None
        known = AgentNow(
            pane.name,
            mark=_mark(pane, has, seen),
            session_id=led.session_id if led else "",
            since=shows.same_since if shows else None,
        )
        found[pane.name] = agent_now(known, judged, seen.agents.now if seen.agents else 0.0)
    return found


def _mark(pane: Pane, has: observed.Pane | None, seen: observed.Host) -> str:
    """What tells the agent's process from any later one: its own, or its pane's where it is not found."""
    if has is None or has.dead or has.pid is None:
        return ""
    program = program_name(pane)
    own = next(
        (each.pid for each in descendants(seen.processes or (), has.pid) if _runs(each.arguments, program)), has.pid
    )
    return mark_of(seen.boot.boot_id if seen.boot else "", has.pane_id, own)


def _runs(arguments: str, program: str | None) -> bool:
    return program is not None and program_of(arguments.split()[:3]) == program


def _looked_at(target: Host, wanted: Spec, due: Sequence[TaskEntry]) -> dict[str, Work]:
    """What is left of the work on tasks, by their ids; all of it is asked in one execution."""
    asked = {
        each.task.id: work_section(each.worktree or "~", each.task.branch, wanted.workspaces.repositories)
        for each in due
    }
    done = [done_section(each.task, each.worktree) for each in due if each.task.done_when]
    if due:
        ask_together(target, [*asked.values(), *done])
    works = {}
    for each in due:
        facts = ask(target, asked[each.task.id])
        tests = each.result.tests if each.result else None
        works[each.task.id] = (
            unknown_work(facts.reason)
            if isinstance(facts, Unknown)
            else assess(facts, branch=each.task.branch, tests=tests)
        )
    return works


def _done(target: Host, due: Sequence[TaskEntry]) -> dict[str, bool | None]:
    """What each ``done_when`` says, by the task's id."""
    said: dict[str, bool | None] = {}
    for each in due:
        if each.task.done_when:
            answer: bool | Unknown | None = ask(target, done_section(each.task, each.worktree))
            said[each.task.id] = None if isinstance(answer, Unknown) else answer
    return said
