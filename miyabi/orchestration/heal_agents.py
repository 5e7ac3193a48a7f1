"""Agents that do not live any more: their tasks, locks and children, and circles among who began whom. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from miyabi.orchestration.acyclic import closing
from miyabi.orchestration.findings import Archived, Change, Evidence, Issue
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import AGENTS, DEAD, ENDED, LOCKS, TASKS, State, at, objects
from miyabi.orchestration.values import dotted, first, names, number, said, text

CRASHED = "AGENT_CRASHED"
CIRCULAR = "STATE_CIRCULAR_REFERENCE"

POOL = ("execution", "agents", "pool")
_PLACES = (("agent", AGENTS), ("pooled", POOL))

# How often a task is given to somebody else after the first agent that had it died; then a human must look at it.
MOST_RETRIES = 3

_PIDS = ("pid", "process_id")
_PARENTS = ("parent", "parent_agent", "parent_id", "parent_agent_id")
_HOLDERS = ("locked_by", "holder", "held_by", "owner", "agent", "agent_id")

# What a task may have said before it is given back: that is replaced, and anything else archived, too.
_STATUSES = frozenset({"pending", "assigned", "in_progress", "review", "blocked"})
_EXPECTED: Mapping[str, Callable[[object], bool]] = {
    "assignee": lambda was: isinstance(was, str),
    "retry_count": lambda was: number(was) is not None,
    "status": lambda was: text(was) in _STATUSES,
    "blocked_reason": lambda _was: False,
}

Step = Iterator[Change | Archived | Issue]


def pid_of(agent: Mapping[str, Any]) -> int | None:
    """The process of an agent; None when it says none: it may live inside its parent's."""
    context = agent.get("context")
    for said_in in (agent, context if isinstance(context, dict) else {}):
        pid = first(said_in, _PIDS)
        if isinstance(pid, int) and not isinstance(pid, bool) and pid > 0:
            return pid
    return None


def holder_of(lock: object) -> str:
    """The name of who holds a lock; "" when it does not say, or nobody does."""
    return text(first(lock, _HOLDERS)) if isinstance(lock, dict) else text(lock)


def children_of(agent: Mapping[str, Any]) -> Iterator[str]:
    """The agents that an agent says to have begun."""
    for _, children in child_lists(agent):
        yield from names(children)


def child_lists(agent: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The lists in which an agent names those that it has begun, with the place of each in it."""
    context = agent.get("context")
    if isinstance(context, dict) and isinstance(context.get("child_agents"), list):
        yield ("context", "child_agents"), context["child_agents"]
    if isinstance(agent.get("child_agents"), list):
        yield ("child_agents",), agent["child_agents"]


def with_children(agent: dict[str, Any], place: tuple[str, ...], children: list[Any]) -> None:
    """Let ``agent`` name these at ``place``; what was there is replaced, not changed."""
    if place[0] == "context":
        agent["context"] = agent["context"] | {"child_agents": children}
    else:
        agent["child_agents"] = children


def living_children(state: State, evidence: Evidence) -> tuple[str, ...]:
    """The agents whose processes run for certain though an agent that began them is dead, in the state's order.

    + state: as it was before it was healed
    """
    _, orphans = _deaths(state, evidence)
    return tuple(orphans)


def dead(state: State, evidence: Evidence, rules: Orchestration) -> Step:
    """Dead agents go into the archive, their tasks back to pending; children without a process of their own go too."""
    deaths, orphans = _deaths(state, evidence)
    if deaths:
        yield from _tasks_back(state, deaths)
        yield from _locks_back(state, deaths)
    for name, parent in orphans.items():
        left = "left running: its process is to be ended" if rules.end_children else "left running"
        found = f"agent {said(name)} still runs, and {said(parent)}, which began it, is dead"
        yield Change(CRASHED, dotted(AGENTS, name), found, left)
    for name, why in deaths.items():
        found = f"agent {said(name)} is dead: {why}"
        for kind, path in _PLACES:
            if name in objects(state, path):
                yield Archived(kind, name, dotted(path, name), found, at(state, path).pop(name))
                yield Change(CRASHED, dotted(path, name), found, "archived; it is no agent any more")
    for name, agent in objects(state, AGENTS).items():
        if text(agent.get("status")) in DEAD:
            message = f"agent {said(name)} says {said(agent['status'])}, and its process runs"
            yield Issue(CRASHED, "minor", dotted(AGENTS, name, "status"), message, repairable=False)


def _deaths(state: State, evidence: Evidence) -> tuple[dict[str, str], dict[str, str]]:
    """Who is dead, and why; and who still runs though the one that began it, who is named with it, is dead."""
    found: dict[str, str] = {}
    # What an active agent says of itself counts more than what the pool says of it.
    for name, agent in (objects(state, POOL) | objects(state, AGENTS)).items():
        if name in evidence.alive:
            continue
        if name in evidence.dead:
            found[name] = "its process has ended"
        elif text(agent.get("status")) in DEAD:
            found[name] = f"it says {agent['status']}"
    return found, _follow(state, evidence, found) if found else {}


def _follow(state: State, evidence: Evidence, found: dict[str, str]) -> dict[str, str]:
    """The children of the dead, downwards: who has no process of its own died too, and is put into ``found``."""
    agents = objects(state, AGENTS)
    begun: dict[str, list[str]] = {name: list(children_of(agent)) for name, agent in agents.items()}
    for name, agent in agents.items():
        context = agent.get("context")
        for said_in in (agent, context if isinstance(context, dict) else {}):
            parent = text(first(said_in, _PARENTS))
            if parent in begun:
                begun[parent].append(name)
    orphans: dict[str, str] = {}
    waiting = list(found)
    for parent in waiting:
        for name in begun.get(parent, ()):
            if name in found or name not in agents:
                continue
            if name in evidence.alive:
                orphans.setdefault(name, parent)
            elif pid_of(agents[name]) is None:
                found[name] = f"terminated with {said(parent)}, which began it"
                waiting.append(name)
    return orphans


def _tasks_back(state: State, deaths: Mapping[str, str]) -> Step:
    """The tasks of the dead may be given to others; what has been tried too often waits for a human."""
    tasks = objects(state, TASKS)
    had = {name: text(task.get("assignee")) for name, task in tasks.items() if text(task.get("assignee")) in deaths}
    living = {text(agent.get("current_task")) for name, agent in objects(state, AGENTS).items() if name not in deaths}
    agents = objects(state, POOL) | objects(state, AGENTS)
    for name in deaths:
        current = text(agents[name].get("current_task"))
        if current in tasks and current not in living and not tasks[current].get("assignee"):
            had.setdefault(current, name)
    for name, agent in had.items():
        task = tasks[name]
        if text(task.get("status")) not in ENDED:
            yield from _given_back(name, task, agent)


def _given_back(name: str, task: dict[str, Any], agent: str) -> Step:
    tried = max(0, int(number(task.get("retry_count")) or 0))
    found = f"task {said(name)} is assigned to {said(agent)}, which is dead"
    now: dict[str, Any] = {"assignee": None, "retry_count": tried + 1, "status": "pending"}
    did = f"back to pending, retry {tried + 1}"
    if tried >= MOST_RETRIES:
        why = f"{tried + 1} agents died while they had it, the last one was {said(agent)}"
        now |= {"status": "blocked", "blocked_reason": why}
        did = f"blocked after {tried} retries: a human must look at it"
    elif text(task.get("status")) == "blocked":
        now["status"] = "blocked"
        did = f"still blocked, assigned to nobody, retry {tried + 1}"
    yield from _replaced(task, now, (*TASKS, name), found)
    yield Change(CRASHED, dotted(TASKS, name), found, did)


def _replaced(thing: dict[str, Any], now: Mapping[str, Any], path: tuple[str, ...], reason: str) -> Iterator[Archived]:
    """Let ``thing`` say what it shall say now; what nobody would have expected there before is archived."""
    for key, value in now.items():
        was = thing.get(key)
        if was is not None and not _EXPECTED[key](was):
            yield Archived("malformed", "", dotted(path, key), reason, was)
        thing[key] = value


def _locks_back(state: State, deaths: Mapping[str, str]) -> Step:
    locks = at(state, LOCKS)
    for resource in [name for name, lock in locks.items() if holder_of(lock) in deaths]:
        found = f"{said(resource)} is locked by {said(holder_of(locks[resource]))}, which is dead"
        yield Archived("lock", resource, dotted(LOCKS, resource), found, locks.pop(resource))
        yield Change(CRASHED, dotted(LOCKS, resource), found, "released")


def circles(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Agents that are said to have begun each other: nobody can end such a family from its root downwards."""
    agents = objects(state, AGENTS)
    links = [(name, child) for name, agent in agents.items() for child in children_of(agent) if child in agents]
    if not links:
        return
    for parent, child in dict.fromkeys(closing(links)):
        found = f"agent {said(parent)} names {said(child)} as its child, and descends from it"
        for place, children in list(child_lists(agents[parent])):
            if child in names(children):
                path = dotted(AGENTS, parent, *place)
                with_children(agents[parent], place, [each for each in children if each != child])
                yield Archived("reference", "", path, found, child)
                yield Change(CIRCULAR, path, found, "no child of it any more")


def known_agents(state: State, evidence: Evidence) -> set[str]:
    """The names that are agents: active ones, those of the pool, and those whose processes run for certain."""
    pool = at(state, POOL)
    pooled: Iterable[Any] = pool.values() if isinstance(pool, dict) else ()
    return {
        *objects(state, AGENTS),
        *(pool if isinstance(pool, dict) else ()),
        *(name for each in pooled if isinstance(each, list) for name in names(each)),
        *evidence.alive,
    }
