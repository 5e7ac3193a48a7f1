"""Tasks and agents that wait for each other for ever, and tasks that nobody can do. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from miyabi.orchestration.acyclic import Link, closing, has_circle
from miyabi.orchestration.findings import Archived, Change, Evidence, Issue
from miyabi.orchestration.heal_agents import POOL, holder_of
from miyabi.orchestration.heal_graph import BLOCKS, LISTS, blocked_by, ends_of, listed_in, named_by, without_blockers
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import AGENTS, EDGES, ENDED, LOCKS, PRIORITIES, TASKS, State, at, objects
from miyabi.orchestration.values import dotted, first, moment, names, number, said, text

CIRCULAR = "CIRCULAR_DEPENDENCY"
DEADLOCK = "DEPENDENCY_DEADLOCK"
ORPHANED = "TASK_ORPHANED"

_ADDED = ("added_at", "created_at", "timestamp")
_WEIGHTS = ("weight", "strength")
_WAITS_FOR = ("waiting_for", "waits_for")
_WAITERS = ("waiters", "waiting", "queue")
_WANTED_ROLES = ("required_role", "required_agent_type", "agent_type", "role")
_ROLES = ("agent_type", "role", "type")

Step = Iterator[Change | Archived | Issue]


def rank(thing: Mapping[str, Any]) -> float:
    """How important a task, an agent or a message is; what does not say so is ordinary."""
    said_so = thing.get("priority")
    if isinstance(said_so, str):
        return PRIORITIES.get(said_so, PRIORITIES["normal"])
    counted = number(said_so)
    return PRIORITIES["normal"] if counted is None else counted


def links_of(state: State) -> dict[Link, Any]:
    """What waits for what (what is done first, what waits for it), with what the graph or the task says about it."""
    found: dict[Link, Any] = {}
    for name, task in objects(state, TASKS).items():
        for key in LISTS:
            if task.get(key):
                for other, entry in listed_in(task, key).items():
                    link = (other, name) if key == "dependencies" else (name, other)
                    if link not in found or isinstance(entry, dict):
                        found[link] = entry
    edges = at(state, EDGES)
    for edge in edges if isinstance(edges, list) else ():
        ends = ends_of(edge)
        if ends is not None:
            found[ends] = edge
    return found


def cycles(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Circles of dependencies are broken at their weakest links until none is left."""
    links = links_of(state)
    if not has_circle(list(links)):
        return
    tasks = objects(state, TASKS)
    broken = closing(sorted(links, key=lambda link: _weakness(link, links[link], tasks)))
    reasons = {link: _circle(*link) for link in broken}
    yield from _unlinked(state, reasons)
    for (_, after), found in reasons.items():
        yield Change(CIRCULAR, dotted(TASKS, after, "dependencies"), found, "this link, the weakest, is taken out")
    yield from _unblocked(state, {after for _, after in broken}, CIRCULAR)


def _circle(before: str, after: str) -> str:
    if before == after:
        return f"{said(after)} waits for itself"
    return f"{said(after)} waits for {said(before)}, which waits for {said(after)} in the end"


def _weakness(link: Link, entry: Any, tasks: Mapping[str, Mapping[str, Any]]) -> tuple[object, ...]:
    """The weaker, the greater: ended tasks, optional or light links, unimportant waiting tasks, new links."""
    details = entry if isinstance(entry, dict) else {}
    before, after = (tasks.get(name, {}) for name in link)
    is_ended = any(text(each.get("status")) in ENDED for each in (before, after))
    is_optional = details.get("optional") is True or details.get("required") is False
    weight = number(first(details, _WEIGHTS))
    added = moment(first(details, _ADDED))
    return (is_ended, is_optional, -(1.0 if weight is None else weight), -rank(after), added or 0.0, link)


def _unlinked(state: State, reasons: Mapping[Link, str]) -> Iterator[Archived]:
    """Take out what waits for what, wherever it is said, each for its reason."""
    tasks, edges = objects(state, TASKS), at(state, EDGES)
    gone: dict[tuple[str, str], dict[str, str]] = {}
    for (before, after), reason in reasons.items():
        yield Archived("dependency", "", dotted(TASKS, after, "dependencies"), reason, {"from": before, "to": after})
        gone.setdefault((after, "dependencies"), {})[before] = reason
        gone.setdefault((before, "blocking"), {})[after] = reason
    for (owner, key), others in gone.items():
        entries = tasks.get(owner, {}).get(key)
        if isinstance(entries, list) and not others.keys().isdisjoint(map(named_by, entries)):
            tasks[owner][key] = [entry for entry in entries if named_by(entry) not in others]
            for entry in entries:
                if isinstance(entry, dict) and named_by(entry) in others:
                    yield Archived("dependency", "", dotted(TASKS, owner, key), others[named_by(entry)], entry)
    kept = []
    for edge in edges:
        ends = ends_of(edge)
        if ends is not None and ends in reasons:
            yield Archived("edge", "", dotted(EDGES), reasons[ends], edge)
        else:
            kept.append(edge)
    edges[:] = kept


def _unblocked(state: State, names_of: Collection[str], code: str) -> Step:
    """Tasks that were blocked by nothing but what was taken out are pending again."""
    tasks = objects(state, TASKS)
    held = {name for name, _ in _block_waits(state, tasks)}
    for name in sorted(names_of):
        task = tasks.get(name, {})
        waits = any(text(tasks.get(other, {}).get("status")) not in ENDED for other in listed_in(task, "dependencies"))
        if text(task.get("status")) == "blocked" and not task.get("blocked_reason") and not waits and name not in held:
            task["status"] = "pending"
            found = f"task {said(name)} is blocked, and waits for nothing any more"
            yield Change(code, dotted(TASKS, name, "status"), found, "back to pending")


def lock_deadlocks(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Agents that wait for locks of each other: the most important one gets the lock that it waits for."""
    agents, locks = objects(state, AGENTS), at(state, LOCKS)
    waits: dict[Link, list[str]] = {}
    for name, resource in _lock_waits(agents, locks):
        holder = holder_of(locks[resource])
        if holder in agents and holder != name:
            waits.setdefault((name, holder), []).append(resource)
    tasks = objects(state, TASKS)
    for name, holder in closing(sorted(waits, key=lambda link: (*_standing(agents[link[0]], tasks), link))):
        for resource in waits[name, holder]:
            if resource not in locks:
                continue
            found = f"agent {said(name)} waits for {said(resource)} of {said(holder)}, which waits for it in the end"
            yield Archived("lock", resource, dotted(LOCKS, resource), found, locks.pop(resource))
            yield Change(DEADLOCK, dotted(LOCKS, resource), found, f"released: {said(name)} goes first")


def _lock_waits(agents: Mapping[str, Mapping[str, Any]], locks: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Which agent waits for which lock, by its own word or by the lock's."""
    if not locks:
        return
    for name, agent in agents.items():
        wanted = first(agent, _WAITS_FOR)
        if isinstance(wanted, dict):
            wanted = first(wanted, ("resource", "lock"))
        yield from ((name, resource) for resource in names(wanted) if resource in locks)
    for resource, lock in locks.items():
        waiting = first(lock, _WAITERS) if isinstance(lock, dict) else None
        yield from ((name, resource) for name in names(waiting) if name in agents)


def _standing(agent: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]) -> tuple[float, float]:
    """The greater, the earlier it goes: important agents before others, old ones before new ones."""
    own = agent if agent.get("priority") is not None else tasks.get(text(agent.get("current_task")), {})
    return rank(own), -(moment(agent.get("spawned_at")) or 0.0)


def task_deadlocks(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Tasks that block each other: the most important one is not held back any more."""
    tasks = objects(state, TASKS)
    holds = list(_block_waits(state, tasks))
    if not holds:
        return
    fixed = dict.fromkeys(link for link in links_of(state) if _are_open(link, tasks))
    weak = {(other, name) for name, other in holds} - fixed.keys()
    last = sorted(weak, key=lambda link: (rank(tasks[link[1]]), link))
    broken = {link: _deadlock(*link) for link in closing([*fixed, *last]) if link in weak}
    if not broken:
        return
    yield from _unheld(state, broken)
    for (_, after), found in broken.items():
        yield Change(DEADLOCK, dotted(TASKS, after), found, f"{said(after)} goes first: it is not held any more")
    yield from _unblocked(state, {after for _, after in broken}, DEADLOCK)


def _deadlock(before: str, after: str) -> str:
    return f"task {said(after)} is blocked by {said(before)}, which waits for it in the end"


def _are_open(link: Iterable[str], tasks: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(name in tasks and text(tasks[name].get("status")) not in ENDED for name in link)


def _block_waits(state: State, tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[Link]:
    """Which open task is held back by which other one, as the task or a block says."""
    for name, task in tasks.items():
        if task.get("blocked_by"):
            yield from ((name, other) for other in names(task["blocked_by"]) if _are_open((name, other), tasks))
    for block in at(state, BLOCKS):
        name, others = blocked_by(block)
        yield from ((name, other) for other in others if _are_open((name, other), tasks))


def _unheld(state: State, reasons: Mapping[Link, str]) -> Iterator[Archived]:
    """Take out what holds back what, of the tasks and of the blocks."""
    tasks, blocks = objects(state, TASKS), at(state, BLOCKS)
    for after in dict.fromkeys(after for _, after in reasons):
        there = tasks[after].get("blocked_by")
        gone = [each for each in names(there) if (each, after) in reasons]
        if gone:
            tasks[after]["blocked_by"] = (
                [each for each in there if each not in gone] if isinstance(there, list) else None
            )
            path = dotted(TASKS, after, "blocked_by")
            yield from (Archived("reference", "", path, reasons[each, after], each) for each in gone)
    kept: list[Any] = []
    for block in blocks:
        name, others = blocked_by(block)
        gone = [other for other in others if (other, name) in reasons]
        if gone:
            yield Archived("block", "", dotted(BLOCKS), reasons[gone[0], name], block)
        if len(gone) < len(others):
            kept.append(without_blockers(block, gone) if gone else block)
        elif not gone:
            kept.append(block)
    blocks[:] = kept


def orphans(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Open tasks that need an agent of a kind that is not there are told; with no agent at all, none is."""
    tasks = objects(state, TASKS)
    wanted = {name: text(first(task, _WANTED_ROLES)) for name, task in tasks.items()}
    if not any(wanted.values()):
        return
    there = set(_roles(state))
    if not there:
        return
    for name, role in wanted.items():
        task = tasks[name]
        is_free = text(task.get("status")) not in ENDED and not task.get("assignee")
        if role and role not in there and is_free:
            message = f"task {said(name)} needs an agent that is {said(role)}, and there is none"
            yield Issue(ORPHANED, "minor", dotted(TASKS, name), message, repairable=False)


def _roles(state: State) -> Iterator[str]:
    for path in (AGENTS, POOL):
        for agent in objects(state, path).values():
            for key in (*_ROLES, "capabilities", "skills"):
                yield from names(agent.get(key))
    # A pool may be sorted by kinds of agents.
    yield from at(state, POOL)
