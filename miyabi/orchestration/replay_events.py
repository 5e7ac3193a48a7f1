"""What each type of event does to a session's state. Pure.

Programs name the same thing differently: what an event is about is looked for under each of its usual names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from miyabi.orchestration.event import Event
from miyabi.orchestration.session_state import (
    AGENTS,
    CHANNELS,
    EDGES,
    ENDED,
    GRAPH,
    LOCKS,
    NODES,
    QUEUES,
    TASKS,
    State,
    at,
)
from miyabi.orchestration.state_path import PathError, delete_at, set_at, shown

Apply = Callable[[State, Event], None]

# Keys of an event's data that say what it is about, and not what becomes of it.
_ABOUT = frozenset({"task_id", "agent_id", "task", "agent", "changes", "updates", "fields", "reason", "session_id"})


def _fields(event: Event, name: str) -> dict[str, Any]:
    """What an event says of the thing that it is about: in an object of its own, or beside its id."""
    for key in (name, "changes", "updates", "fields"):
        found = event.data.get(key)
        if isinstance(found, dict):
            return found
    return {key: value for key, value in event.data.items() if key not in _ABOUT}


def _id(event: Event, name: str, *more: str) -> str:
    """The id of what an event is about; ``PathError`` when it names none."""
    own = event.data.get(name)
    candidates = [event.data.get(key) for key in (f"{name}_id", *more)]
    candidates += [own.get("id") if isinstance(own, dict) else own, event.data.get("id")]
    found = next((each for each in candidates if isinstance(each, str) and each), None)
    if found is None:
        raise PathError(f"it names no {name}")
    return found


def _held(state: State, path: tuple[str, ...]) -> dict[str, Any]:
    """The object at a known place, made where there is none."""
    here = state
    for key in path:
        if here.get(key) is None:
            here[key] = {}
        here = here[key]
        if not isinstance(here, dict):
            raise PathError(f"{shown(list(path))} is no object")
    return here


def _listed(state: State, path: tuple[str, ...]) -> list[Any]:
    """The list at a known place, made where there is none."""
    holder = _held(state, path[:-1])
    found = holder.setdefault(path[-1], [])
    if not isinstance(found, list):
        raise PathError(f"{shown(list(path))} is no list")
    return found


def _entry(state: State, path: tuple[str, ...], name: str) -> dict[str, Any]:
    """A task, an agent and so on by its id; a new one holds its id alone."""
    held = _held(state, path)
    if not isinstance(held.get(name), dict):
        held[name] = {"id": name}
    entry: dict[str, Any] = held[name]
    return entry


def _merge_into(path: tuple[str, ...], name: str, *, stamp: str = "", **fixed: str) -> Apply:
    """The event that makes or changes an entry: what it says of it is put over what was known."""

    def apply(state: State, event: Event) -> None:
        entry = _entry(state, path, _id(event, name))
        entry.update(_fields(event, name))
        entry.update(fixed)
        if stamp and (told := event.timestamp) is not None:
            entry.setdefault(stamp, told)

    return apply


def _complete(state: State, event: Event) -> None:
    name = _id(event, "task")
    task = _entry(state, TASKS, name)
    task.update(_fields(event, "task"))
    task["status"] = "completed"
    if event.timestamp is not None:
        task.setdefault("completed_at", event.timestamp)
    _let_go(state, name)


def _let_go(state: State, task: str, keeper: str = "") -> None:
    """No agent but ``keeper`` is at a task any more."""
    for name, agent in (at(state, AGENTS) or {}).items():
        if name != keeper and isinstance(agent, dict) and agent.get("current_task") == task:
            agent["current_task"] = None


def _assign(state: State, event: Event) -> None:
    name = _id(event, "task")
    agent_id = _id(event, "agent", "assignee", "assigned_to", "to")
    task = _entry(state, TASKS, name)
    task["assignee"] = agent_id
    if task.get("status") not in {*ENDED, "in_progress", "review"}:
        task["status"] = "assigned"
    _let_go(state, name, agent_id)
    agent = _held(state, AGENTS).get(agent_id)
    if isinstance(agent, dict):
        agent["current_task"] = name


def _agent_ends(status: str, stamp: str) -> Apply:
    def apply(state: State, event: Event) -> None:
        agent = _held(state, AGENTS).get(_id(event, "agent"))
        if not isinstance(agent, dict):
            return  # it was taken out of the state already
        agent["status"] = status
        if event.timestamp is not None:
            agent[stamp] = event.timestamp

    return apply


def _messages(state: State) -> Iterator[dict[str, Any]]:
    for path in (QUEUES, CHANNELS):
        found = at(state, path)
        for each in found.values() if isinstance(found, dict) else ():
            yield from (message for message in each if isinstance(message, dict)) if isinstance(each, list) else ()


def _send(state: State, event: Event) -> None:
    own = event.data.get("message")
    message = dict(own) if isinstance(own, dict) else dict(event.data)
    name = _id(event, "message")
    message.setdefault("id", name)
    message.pop("message_id", None)
    if any(each.get("id") == message["id"] for each in _messages(state)):
        return
    channel = event.data.get("channel")
    if isinstance(channel, str) and channel:
        _listed(state, (*CHANNELS, channel)).append(message)
        return
    named = (event.data.get("queue"), *(message.get(key) for key in ("to", "recipient", "recipient_id")))
    queue = next((each for each in named if isinstance(each, str) and each), None)
    if queue is None:
        raise PathError("it names neither a queue nor a recipient")
    _listed(state, (*QUEUES, queue)).append(message)


def _deliver(state: State, event: Event) -> None:
    name = _id(event, "message")
    for message in _messages(state):
        if message.get("id") == name:
            message["status"] = "delivered"
            if event.timestamp is not None:
                message.setdefault("delivered_at", event.timestamp)


def _lock(state: State, event: Event) -> None:
    name = _id(event, "lock", "resource", "path")
    own = event.data.get("lock")
    lock = dict(own) if isinstance(own, dict) else {}
    holder = next((event.data[key] for key in ("locked_by", "agent_id", "holder") if key in event.data), None)
    if holder is not None:
        lock.setdefault("locked_by", holder)
    if event.timestamp is not None:
        lock.setdefault("locked_at", event.timestamp)
    for key in ("expires_at", "ttl"):
        if key in event.data:
            lock.setdefault(key, event.data[key])
    _held(state, LOCKS)[name] = lock


def _unlock(state: State, event: Event) -> None:
    _held(state, LOCKS).pop(_id(event, "lock", "resource", "path"), None)


def _ends(event: Event) -> tuple[str, str]:
    """From which task to which an edge leads."""
    edge = event.data.get("edge")
    told = edge if isinstance(edge, dict) else event.data
    before = told.get("from_task", told.get("from"))
    after = told.get("to_task", told.get("to"))
    if not isinstance(before, str) or not isinstance(after, str):
        raise PathError("it does not say from which task to which")
    return before, after


def _is_edge(each: object, before: str, after: str) -> bool:
    return isinstance(each, dict) and each.get("from") == before and each.get("to") == after


def _depend(state: State, event: Event) -> None:
    before, after = _ends(event)
    edges = _listed(state, EDGES)
    if not any(_is_edge(each, before, after) for each in edges):
        own = event.data.get("edge")
        edges.append(dict(own) if isinstance(own, dict) else {"from": before, "to": after})
    nodes = _held(state, NODES)
    for name in (before, after):
        nodes.setdefault(name, {})
    for name, key, other in ((after, "dependencies", before), (before, "blocking", after)):
        task = _held(state, TASKS).get(name)
        if isinstance(task, dict) and isinstance(known := task.setdefault(key, []), list) and other not in known:
            known.append(other)


def _undepend(state: State, event: Event) -> None:
    before, after = _ends(event)
    graph = _held(state, GRAPH)
    edges = graph.get("edges")
    if isinstance(edges, list):
        graph["edges"] = [each for each in edges if not _is_edge(each, before, after)]
    for name, key, other in ((after, "dependencies", before), (before, "blocking", after)):
        task = _held(state, TASKS).get(name)
        known = task.get(key) if isinstance(task, dict) else None
        if isinstance(known, list) and other in known:
            known.remove(other)


def _update(state: State, event: Event) -> None:
    if "value" not in event.data:
        raise PathError("it tells no value")
    set_at(state, event.data.get("path"), event.data["value"])


def _delete(state: State, event: Event) -> None:
    delete_at(state, event.data.get("path"))


# A checkpoint and the creation of a session are where a replay begins: miyabi.orchestration.replay looks for them.
EFFECTS: Mapping[str, Apply] = {
    "state_updated": _update,
    "state_deleted": _delete,
    "task_created": _merge_into(TASKS, "task", stamp="created_at"),
    "task_updated": _merge_into(TASKS, "task"),
    "task_completed": _complete,
    "task_assigned": _assign,
    "agent_spawned": _merge_into(AGENTS, "agent", stamp="spawned_at"),
    "agent_updated": _merge_into(AGENTS, "agent"),
    "agent_failed": _agent_ends("failed", "failed_at"),
    "agent_terminated": _agent_ends("terminated", "terminated_at"),
    "message_sent": _send,
    "message_delivered": _deliver,
    "lock_acquired": _lock,
    "lock_released": _unlock,
    "dependency_added": _depend,
    "dependency_removed": _undepend,
}
