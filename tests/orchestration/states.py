"""Example states of sessions: valid ones, out of which a test makes the sick one that it needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from miyabi.orchestration.session_state import State, structure

# When the examples are looked at: 2026-01-15 12:00:00 UTC.
NOW = 1768478400.0

HOUR = 3600.0

SESSION_ID = "0b6f2a0e-6f0e-4c0a-9a58-0d5a4f1c2e77"


def ago(seconds: float) -> str:
    """The time that many seconds before ``NOW``, as an orchestration writes it."""
    return datetime.fromtimestamp(NOW - seconds, UTC).isoformat()


def a_task(task_id: str, status: str = "pending", *, since: float = HOUR, **more: Any) -> State:
    """A task.

    + since: how many seconds ago it was made and changed
    + more: replaces and adds, such as ``assignee="A1"``
    """
    task: State = {
        "id": task_id,
        "type": "feature",
        "title": f"Do {task_id}",
        "status": status,
        "priority": "medium",
        "created_at": ago(since),
        "updated_at": ago(since),
        "assignee": None,
        "dependencies": [],
        "blocking": [],
        "retry_count": 0,
    }
    return task | more


def an_agent(agent_id: str, status: str = "idle", *, since: float = HOUR, **more: Any) -> State:
    """An active agent; ``pid=4711`` says which process it is, ``children=["A2"]`` which agents it began."""
    children = list(more.pop("children", ()))
    agent: State = {
        "id": agent_id,
        "session_id": SESSION_ID,
        "agent_type": "engineer",
        "spawned_at": ago(since),
        "status": status,
        "current_task": None,
        "context": {"child_agents": children},
        "retry_count": 0,
    }
    return agent | more


def a_message(message_id: str, priority: str = "normal", *, since: float = 60, **more: Any) -> State:
    """A message; ``to`` and ``sender`` (the field ``from``) name agents."""
    sender = more.pop("sender", "orchestrator")
    message: State = {
        "id": message_id,
        "timestamp": ago(since),
        "from": sender,
        "to": "A1",
        "type": "task_update",
        "priority": priority,
        "payload": {"text": f"This is {message_id}"},
    }
    return message | more


def a_lock(agent_id: str, *, since: float = 60, **more: Any) -> State:
    """What stands at the name of a resource that ``agent_id`` has locked."""
    return {"locked_by": agent_id, "locked_at": ago(since)} | more


def an_edge(before: str, after: str, **more: Any) -> State:
    """An edge of the dependency graph: ``after`` waits for ``before``."""
    return {"from": before, "to": after, "type": "blocks"} | more


def an_event(event_id: str, kind: str = "state_updated", *, since: float = 60, **more: Any) -> State:
    """An event, as it stands among the recent ones and in the event log."""
    event: State = {
        "id": event_id,
        "timestamp": ago(since),
        "type": kind,
        "session_id": SESSION_ID,
        "data": {},
        "correlation_id": f"c-{event_id}",
    }
    return event | more


def a_session(
    *,
    tasks: Iterable[State] = (),
    agents: Iterable[State] = (),
    pool: Iterable[State] = (),
    queues: Mapping[str, Sequence[Any]] | None = None,
    channels: Mapping[str, Sequence[Any]] | None = None,
    locks: Mapping[str, Any] | None = None,
    edges: Iterable[State] = (),
    events: Iterable[State] = (),
    session_id: str = SESSION_ID,
    active: float = 60,
) -> State:
    """A valid state: what one part says of another is said by both.

    The graph's nodes are the tasks; ``edges`` also make the tasks' ``dependencies`` and ``blocking``; a task's
    ``assignee`` that is one of the given agents works on it, when the task is assigned or in progress.

    + active: how many seconds ago its last activity was
    """
    state = structure()
    state["version"] = "2.0.0"
    state["session"] |= {
        "id": session_id,
        "created_at": ago(8 * HOUR),
        "mode": "development",
        "user_context": {"workspace_path": "/srv/project"},
        "lifecycle": {"status": "active", "last_activity": ago(active)},
    }
    execution, communication = state["execution"], state["communication"]
    execution["tasks"] = {task["id"]: dict(task) for task in tasks}
    execution["agents"] = {
        "active": {agent["id"]: dict(agent) for agent in agents},
        "pool": {agent["id"]: dict(agent) for agent in pool},
    }
    for name, task in execution["tasks"].items():
        agent = execution["agents"]["active"].get(task.get("assignee"))
        if agent is not None and task["status"] in {"assigned", "in_progress"} and agent["current_task"] is None:
            agent |= {"current_task": name, "status": "busy"}
    communication["message_queues"] = {name: list(queue) for name, queue in (queues or {}).items()}
    communication["channels"] |= {name: list(channel) for name, channel in (channels or {}).items()}
    communication["coordination"]["locks"] = dict(locks or {})
    _depend(state, list(edges))
    state["observability"]["events"]["recent"] = list(events)
    state["observability"]["health"]["system_status"] = "healthy"
    state["persistence"]["checkpoint"] |= {"last_saved": ago(active), "sequence": 1, "hash": ""}
    return state


def _depend(state: State, edges: list[State]) -> None:
    tasks = state["execution"]["tasks"]
    graph = state["communication"]["coordination"]["dependencies"]["graph"]
    graph["nodes"] = {name: {"type": "task"} for name in tasks}
    graph["edges"] = edges
    for edge in edges:
        if edge["to"] in tasks:
            after = tasks[edge["to"]]
            after["dependencies"] = [*after["dependencies"], edge["from"]]
        if edge["from"] in tasks:
            before = tasks[edge["from"]]
            before["blocking"] = [*before["blocking"], edge["to"]]


def a_full_session(tasks: int = 12, agents: int = 3, messages: int = 10, events: int = 20) -> State:
    """A valid state with something in each of its parts; with 200 tasks it is of about 100 KB."""
    names = [f"A{number}" for number in range(1, agents + 1)]
    some_tasks = [
        a_task(
            f"T{number}",
            ("completed", "pending", "blocked")[number % 3] if number > agents else "in_progress",
            assignee=f"A{number}" if number <= agents else None,
            priority=("critical", "high", "medium", "low")[number % 4],
            description=f'Make part {number} of it, “as agreed”, with tests {{and}} a "note"\n- first\n- second',
        )
        for number in range(1, tasks + 1)
    ]
    return a_session(
        tasks=some_tasks,
        agents=[an_agent(name, pid=4000 + number) for number, name in enumerate(names)],
        pool=[an_agent("P1"), an_agent("P2")],
        queues={name: [a_message(f"M-{name}-{number}", to=name) for number in range(messages)] for name in names},
        channels={"broadcast": [a_message("M-all", to="*")], "handoffs": [a_message("M-hand", "high", to=names[-1])]},
        locks={"src/main.py": a_lock(names[0]), "db": a_lock(names[-1])},
        edges=[an_edge(f"T{number}", f"T{number + 1}") for number in range(agents + 1, tasks, 2) if (number + 1) % 3],
        events=[an_event(f"E{number}") for number in range(events)],
    )


def as_content(state: State, *, indent: int | None = 2) -> bytes:
    """``state`` as an orchestration writes it."""
    return json.dumps(state, indent=indent).encode()
