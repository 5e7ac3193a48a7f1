"""A state that is too large made smaller, in three degrees: whatever is taken out goes into the archive. Pure.

standard: tasks that ended long ago and that no open task waits for, old messages that are not important or have
arrived, events beyond the limit. aggressive: all ended tasks, and all messages that have arrived. emergency: all that
is neither an open task, an agent that may be at work, nor an important message that has not arrived. Open tasks and
important messages that have not arrived always stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence, Healed
from miyabi.orchestration.heal_agents import child_lists, holder_of, pid_of, with_children
from miyabi.orchestration.heal_dependencies import links_of
from miyabi.orchestration.heal_graph import BLOCKS, LISTS, blocked_by, ends_of, named_by
from miyabi.orchestration.heal_messages import IMPORTANT, is_delivered, priority_of, sent_at
from miyabi.orchestration.rules import CleanUp, Orchestration
from miyabi.orchestration.session_state import (
    AGENTS,
    CHANNELS,
    EDGES,
    ENDED,
    LOCKS,
    NODES,
    QUEUES,
    RECENT_EVENTS,
    TASKS,
    State,
    at,
    objects,
)
from miyabi.orchestration.values import dotted, first, moment, text
from miyabi.orchestration.working_copy import working_copy
from miyabi.words import counted

TOO_LARGE = "STATE_SIZE_EXCEEDED"

# Which part of the recent events stays.
_EVENTS: Mapping[CleanUp, int] = {"standard": 1, "aggressive": 10, "emergency": 100}
_ENDED_AT = ("completed_at", "ended_at", "cancelled_at", "updated_at")
_IDLE = frozenset({"idle", "available", "inactive", "completed", "done", "finished", "stopped"})
# What lies in these channels is important, whatever it says.
_URGENT = frozenset({"emergency", "handoffs"})

Step = Iterator[Change | Archived]


def clean_up_for(size: int | None, rules: Orchestration) -> CleanUp | None:
    """How much a state of this size has to be cleaned up; None is not at all.

    + size: bytes; None is that nobody asks
    """
    limit = rules.limits.session_size
    if size is None or size <= limit:
        return None
    return "standard" if size <= 2 * limit else "aggressive" if size <= 4 * limit else "emergency"


def clean_up(state: State, how: CleanUp, evidence: Evidence, rules: Orchestration) -> Healed:
    """A state without what can be spared; the given state stays as it is.

    + state: one that was healed
    + how: see above

    .. code:: python

        clean_up(state, "standard", Evidence(now=1795237200.0), Orchestration("~/repo")).archived
    """
    copied = working_copy(state)
    changes: list[Change] = []
    archived: list[Archived] = []
    for step in (_tasks, _agents, _messages, _events):
        for found in step(copied, how, evidence, rules):
            if isinstance(found, Change):
                changes.append(found)
            else:
                archived.append(found)
    return Healed(copied, tuple(changes), tuple(archived)) if changes else Healed(state)


def next_clean_up(state: State, rules: Orchestration) -> Iterator[float]:
    """When something becomes old enough to be taken out of a state that is too large, seconds since the epoch."""
    needed = _needed(state)
    for name, task in objects(state, TASKS).items():
        ended = _ended_at(task) if name not in needed else None
        if ended is not None:
            yield ended + rules.clean_after
    for path, there in _lists(state):
        for message in there:
            sent = sent_at(message) if isinstance(message, dict) and not _must_stay(message, path) else None
            if sent is not None:
                yield sent + rules.messages_after


def _ended_at(task: Mapping[str, Any]) -> float | None:
    """When a task has ended; None when it has not, or nobody knows."""
    return moment(first(task, _ENDED_AT)) if text(task.get("status")) in ENDED else None


def _needed(state: State) -> set[str]:
    """The tasks that open ones wait for."""
    tasks = objects(state, TASKS)
    is_open = {name for name, task in tasks.items() if text(task.get("status")) not in ENDED}
    return {before for before, after in links_of(state) if after in is_open}


def _tasks(state: State, how: CleanUp, evidence: Evidence, rules: Orchestration) -> Step:
    tasks = at(state, TASKS)
    ended = [name for name, task in objects(state, TASKS).items() if text(task.get("status")) in ENDED]
    reason = "ended, and the state is too large"
    if how == "standard":
        needed, since = _needed(state), evidence.now - rules.clean_after
        ended = [name for name in ended if name not in needed and (_ended_at(tasks[name]) or evidence.now) < since]
        reason = "ended long ago, and the state is too large"
    if not ended:
        return
    gone = set(ended)
    for name in ended:
        yield Archived("task", name, dotted(TASKS, name), reason, tasks.pop(name))
    yield from _without(state, gone, reason)
    yield Change(TOO_LARGE, dotted(TASKS), f"{counted(len(ended), 'task')} {reason}", "archived")


def _without(state: State, gone: set[str], reason: str) -> Iterator[Archived]:
    """Take out what names tasks that are gone: they have ended, so nobody waits for them any more."""
    for name, task in objects(state, TASKS).items():
        for key in LISTS:
            there = task.get(key)
            entries = there if isinstance(there, list) else []
            out = [entry for entry in entries if named_by(entry) in gone]
            if out:
                task[key] = [entry for entry in entries if named_by(entry) not in gone]
                yield from (Archived("dependency", "", dotted(TASKS, name, key), reason, entry) for entry in out)
    nodes = at(state, NODES)
    for name in [name for name in nodes if name in gone] if isinstance(nodes, dict) else []:
        yield Archived("node", name, dotted(NODES, name), reason, nodes.pop(name))
    for kind, path in (("edge", EDGES), ("block", BLOCKS)):
        there = at(state, path)
        if isinstance(there, list):
            out = [each for each in there if not gone.isdisjoint(_named(kind, each))]
            if out:
                there[:] = [each for each in there if gone.isdisjoint(_named(kind, each))]
                yield from (Archived(kind, "", dotted(path), reason, each) for each in out)


def _named(kind: str, each: object) -> tuple[str, ...]:
    return (ends_of(each) or ()) if kind == "edge" else (blocked_by(each)[0],)


def _agents(state: State, how: CleanUp, evidence: Evidence, _rules: Orchestration) -> Step:
    """In an emergency, agents that say to be idle and have no process, no task and no lock."""
    if how != "emergency":
        return
    agents = objects(state, AGENTS)
    locks = at(state, LOCKS)
    busy = {text(task.get("assignee")) for task in objects(state, TASKS).values()} | evidence.alive
    busy |= {holder_of(lock) for lock in locks.values()} if isinstance(locks, dict) else set()
    idle = [
        name
        for name, agent in agents.items()
        if name not in busy
        and text(agent.get("status")) in _IDLE
        and not agent.get("current_task")
        and pid_of(agent) is None
    ]
    if not idle:
        return
    reason = "idle, without a process, and the state is much too large"
    gone = set(idle)
    for name in idle:
        yield Archived("agent", name, dotted(AGENTS, name), reason, at(state, AGENTS).pop(name))
    for name, agent in objects(state, AGENTS).items():
        for place, listed in list(child_lists(agent)):
            out = [each for each in listed if isinstance(each, str) and each in gone]
            if out:
                with_children(agent, place, [each for each in listed if not (isinstance(each, str) and each in gone)])
                path = dotted(AGENTS, name, *place)
                yield from (Archived("reference", "", path, reason, each) for each in out)
    yield Change(TOO_LARGE, dotted(AGENTS), f"{counted(len(idle), 'agent')} {reason}", "archived")


def _lists(state: State) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    for path in (QUEUES, CHANNELS):
        holder = at(state, path)
        for name, there in holder.items() if isinstance(holder, dict) else ():
            is_known = path == QUEUES or name in {"broadcast", "dead_letter", *_URGENT}
            if is_known and isinstance(there, list):
                yield (*path, name), there


def _messages(state: State, how: CleanUp, evidence: Evidence, rules: Orchestration) -> Step:
    for path, there in _lists(state):
        out = {
            place for place, each in enumerate(there) if _may_go(each, path, how, evidence.now - rules.messages_after)
        }
        if not out:
            continue
        reason = "old or delivered, and the state is too large"
        for place in sorted(out):
            yield Archived("message", text(there[place].get("id")), dotted(path), reason, there[place])
        there[:] = [each for place, each in enumerate(there) if place not in out]
        yield Change(TOO_LARGE, dotted(path), f"{counted(len(out), 'message')} {reason}", "archived")


def _must_stay(message: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    is_important = priority_of(message) in IMPORTANT or (path[:2] == CHANNELS and path[-1] in _URGENT)
    return is_important and not is_delivered(message)


def _may_go(message: object, path: tuple[str, ...], how: CleanUp, since: float) -> bool:
    if not isinstance(message, dict) or _must_stay(message, path):
        return False
    if how == "emergency" or (how == "aggressive" and is_delivered(message)):
        return True
    sent = sent_at(message)
    return sent is not None and sent < since


def _events(state: State, how: CleanUp, _evidence: Evidence, rules: Orchestration) -> Step:
    there = at(state, RECENT_EVENTS)
    most = max(1, rules.limits.events // _EVENTS[how])
    if not isinstance(there, list) or len(there) <= most:
        return
    reason = f"older than the {most} newest, and the state is too large"
    out = there[: len(there) - most]
    for each in out:
        yield Archived(
            "event", text(each.get("id")) if isinstance(each, dict) else "", dotted(RECENT_EVENTS), reason, each
        )
    del there[: len(out)]
    yield Change(TOO_LARGE, dotted(RECENT_EVENTS), f"{counted(len(out), 'event')} {reason}", "archived")
