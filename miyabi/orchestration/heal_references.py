"""What tasks and agents say of each other, made to agree. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence, Issue
from miyabi.orchestration.heal_agents import child_lists, known_agents, with_children
from miyabi.orchestration.heal_structure import INCONSISTENT
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import AGENTS, ENDED, QUEUES, RECENT_EVENTS, TASKS, State, at, objects
from miyabi.orchestration.values import dotted, is_same, said, text

UNASSIGNED = "TASK_ASSIGNMENT_FAILED"

# A task in one of these is worked on by somebody.
WORKED_ON = frozenset({"assigned", "in_progress", "review"})
_GIVEN_BACK = frozenset({"assigned", "in_progress"})

Step = Iterator[Change | Archived | Issue]


def assignments(state: State, evidence: Evidence, _rules: Orchestration) -> Step:
    """Tasks of agents that are not there go back; where a task and an agent disagree, the task's word counts."""
    tasks, agents = objects(state, TASKS), objects(state, AGENTS)
    yield from _assignees(tasks, known_agents(state, evidence))
    claims: dict[str, list[str]] = {}
    for name, agent in agents.items():
        current = text(agent.get("current_task"))
        if current:
            claims.setdefault(current, []).append(name)
    working: dict[str, list[str]] = {}
    for name, task in tasks.items():
        if text(task.get("status")) == "in_progress":
            working.setdefault(text(task.get("assignee")), []).append(name)
    for current, claimants in claims.items():
        wanted = tasks.get(current)
        if wanted is not None and not wanted.get("assignee") and text(wanted.get("status")) in WORKED_ON:
            found = f"task {said(current)} is {wanted['status']} and names nobody, {said(claimants[0])} works on it"
            wanted["assignee"] = claimants[0]
            yield Change(UNASSIGNED, dotted(TASKS, current, "assignee"), found, f"assigned to {said(claimants[0])}")
        for name in claimants:
            yield from _current_task(name, agents[name], current, wanted, working)
    for name, task in tasks.items():
        if text(task.get("status")) == "assigned" and not task.get("assignee"):
            task["status"] = "pending"
            found = f"task {said(name)} is assigned, and to nobody"
            yield Change(UNASSIGNED, dotted(TASKS, name, "status"), found, "back to pending")


def _assignees(tasks: Mapping[str, dict[str, Any]], agents: set[str]) -> Step:
    for name, task in tasks.items():
        assignee = text(task.get("assignee"))
        if not assignee or assignee in agents or text(task.get("status")) in ENDED:
            continue
        path = dotted(TASKS, name, "assignee")
        found = f"task {said(name)} is assigned to {said(assignee)}, which is no agent"
        task["assignee"] = None
        did = "assignment taken back"
        if text(task.get("status")) in _GIVEN_BACK:
            task["status"] = "pending"
            did += ", back to pending"
        yield Archived("reference", "", path, found, assignee)
        yield Change(UNASSIGNED, path, found, did)


def _current_task(
    name: str, agent: dict[str, Any], current: str, task: Mapping[str, Any] | None, working: Mapping[str, list[str]]
) -> Step:
    found = _disagreement(name, current, task)
    if not found:
        return
    path = dotted(AGENTS, name, "current_task")
    own = working.get(name, [])
    agent["current_task"] = own[0] if len(own) == 1 else None
    yield Archived("reference", "", path, found, current)
    yield Change(INCONSISTENT, path, found, f"set to {said(own[0])}" if len(own) == 1 else "cleared")


def _disagreement(name: str, current: str, task: Mapping[str, Any] | None) -> str:
    """Why ``current`` cannot be the agent's task; "" when it can."""
    has = f"agent {said(name)} works on task {said(current)}, which"
    if task is None:
        return f"{has} is not there"
    if text(task.get("status")) in ENDED:
        return f"{has} is {task['status']}"
    assignee = task.get("assignee")
    if not assignee:
        return f"{has} is assigned to nobody"
    return f"{has} is assigned to {said(assignee)}" if isinstance(assignee, str) and assignee != name else ""


def children(state: State, evidence: Evidence, _rules: Orchestration) -> Step:
    """Children that are no agents are taken out of the lists of those that began them."""
    there = known_agents(state, evidence)
    for name, agent in objects(state, AGENTS).items():
        for place, listed in list(child_lists(agent)):
            gone = dict.fromkeys(each for each in listed if isinstance(each, str) and each not in there)
            if not gone:
                continue
            path = dotted(AGENTS, name, *place)
            with_children(agent, place, [each for each in listed if not (isinstance(each, str) and each in gone)])
            for child in gone:
                yield Archived("reference", "", path, f"child {said(child)} is not there", child)
            found = f"agent {said(name)} names children that are not there: {said(', '.join(gone))}"
            yield Change(INCONSISTENT, path, found, "no children of it any more")


def duplicates(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """The same message or event twice in one list is there once; two things of one name are only told."""
    for queue, messages in at(state, QUEUES).items():
        yield from _once("message", (*QUEUES, queue), messages)
    yield from _once("event", RECENT_EVENTS, at(state, RECENT_EVENTS))
    for kind, path in (("task", TASKS), ("agent", AGENTS)):
        things = objects(state, path)
        for name, thing in things.items():
            own = thing.get("id", name)
            if own != name:
                message = f"{kind} {said(name)} says that its id is {said(own)}"
                yield Issue(INCONSISTENT, "minor", dotted(path, name, "id"), message, repairable=False)


def _once(kind: str, path: tuple[str, ...], there: list[Any]) -> Step:
    """Each id once in a list, when what is said under it is the same."""
    seen: dict[str, Any] = {}
    twice: set[int] = set()
    for place, each in enumerate(there):
        name = each.get("id") if isinstance(each, dict) else None
        if not isinstance(name, str) or seen.setdefault(name, each) is each:
            continue
        if is_same(seen[name], each):
            twice.add(place)
            found = f"{kind} {said(name)} is there twice in {said(path[-1])}"
            yield Archived(kind, name, dotted(path), found, each)
            yield Change(INCONSISTENT, dotted(path), found, "once is enough: the later one is archived")
        else:
            message = f"two {kind}s of {said(path[-1])} have the id {said(name)}, and say different things"
            yield Issue(INCONSISTENT, "minor", dotted(path), message, repairable=False)
    if twice:
        there[:] = [each for place, each in enumerate(there) if place not in twice]
