"""States of sessions as strategies: valid ones, and ones with any JSON value at any place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from miyabi.orchestration.findings import Evidence
from miyabi.orchestration.session_state import State, structure
from tests.orchestration.states import HOUR, NOW, a_lock, a_message, a_session, a_task, ago, an_agent, an_edge, an_event

# Few names, and some of them often, so that what one part says is often about another.
_OFTEN = ("T1", "T2", "T3", "A1", "A2")
NAMES = (*_OFTEN * 4, "T4", "A3", "P1", "system", "orchestrator", "", "a.b", "x y", "\ud800", "no\nline")

_STATUSES = (
    *("pending", "assigned", "in_progress", "review", "completed", "blocked", "cancelled"),
    *("idle", "busy", "failed", "crashed", "dead", "terminated", "delivered", "partial"),
)
_KEYS = (
    *(
        "id",
        "status",
        "assignee",
        "current_task",
        "dependencies",
        "blocking",
        "blocked_by",
        "waiting_for",
        "from",
        "to",
    ),
    *("priority", "retry_count", "attempts", "delivery", "payload", "context", "child_agents", "pid", "parent"),
    *("locked_by", "expires_at", "ttl", "waiters", "type", "agent_type", "task", "timestamp", "last_attempt_at"),
    *("blocked_reason", "next_attempt_at", "unknown"),
)
_NUMBERS = st.one_of(
    st.integers(-2, 12),
    st.sampled_from([10**400, -(10**400), 1e308, -0.5, 2.5, NOW, NOW * 1000, NOW - HOUR, NOW + HOUR]),
)
_NAMES = st.sampled_from(NAMES)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    _NUMBERS,
    _NAMES,
    st.sampled_from(_STATUSES),
    st.sampled_from([ago(-HOUR), ago(HOUR), ago(100 * HOUR), "9999-12-31T23:59:59", "critical", "low"]),
    st.text(max_size=3),
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(_KEYS), _NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)


def _mostly(wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is wanted, or, now and then, anything."""
    return st.one_of(wanted, wanted, wanted, wanted, wanted, ANYTHING)


def _some(build: Callable[..., State], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[State]:
    """Something that ``build`` makes of a name, with some fields replaced and some unknown keys."""
    more = st.fixed_dictionaries({}, optional={key: _mostly(value) for key, value in fields.items()})
    return st.builds(lambda name, fields: build(name) | fields, _NAMES, more)


_LISTS = st.lists(_mostly(_NAMES), max_size=4)
_TIMES = st.sampled_from([ago(-HOUR), ago(60), ago(HOUR), ago(100 * HOUR), NOW, (NOW - 100 * HOUR) * 1000])
_PRIORITIES = st.sampled_from(["critical", "high", "medium", "normal", "low", "whatever"])
_TASK_STATUS = st.sampled_from(_STATUSES[:7])

TASKS = _some(
    a_task,
    {
        "status": _TASK_STATUS,
        "assignee": _NAMES,
        "dependencies": _LISTS,
        "blocking": _LISTS,
        "blocked_by": _LISTS,
        "priority": _PRIORITIES,
        "retry_count": _NUMBERS,
        "completed_at": _TIMES,
        "required_role": _NAMES,
        "x-own": ANYTHING,
    },
)
AGENTS = _some(
    an_agent,
    {
        "status": st.sampled_from(_STATUSES),
        "current_task": _NAMES,
        "context": st.fixed_dictionaries({"child_agents": _LISTS}, optional={"x-own": ANYTHING}),
        "child_agents": _LISTS,
        "parent": _NAMES,
        "pid": _NUMBERS,
        "waiting_for": _NAMES,
        "priority": _PRIORITIES,
        "x-own": ANYTHING,
    },
)
MESSAGES = _some(
    a_message,
    {
        "status": st.sampled_from(["failed", "delivered", "pending", "partial"]),
        "attempts": _NUMBERS,
        "priority": _PRIORITIES,
        "from": _NAMES,
        "to": _NAMES,
        "timestamp": _TIMES,
        "last_attempt_at": _TIMES,
        "delivery": st.fixed_dictionaries({}, optional={"status": st.just("failed"), "attempts": _NUMBERS}),
        "recipients": _LISTS,
        "delivered_to": _LISTS,
        "x-own": ANYTHING,
    },
)
LOCKS = _some(a_lock, {"expires_at": _TIMES, "ttl": _NUMBERS, "waiters": _LISTS, "x-own": ANYTHING})
EDGES = st.one_of(
    st.builds(an_edge, _NAMES, _NAMES),
    st.builds(
        lambda before, after, more: an_edge(before, after, **more),
        _NAMES,
        _NAMES,
        st.fixed_dictionaries(
            {}, optional={"weight": _NUMBERS, "optional": st.booleans(), "added_at": _TIMES, "x-own": ANYTHING}
        ),
    ),
    ANYTHING,
)
BLOCKS = _mostly(st.builds(lambda task, by: {"task": task, "blocked_by": by}, _NAMES, st.one_of(_NAMES, _LISTS)))


def _by_name(entries: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return _mostly(st.dictionaries(_NAMES, _mostly(entries), max_size=5))


def _queue(most: int = 4) -> st.SearchStrategy[Any]:
    return _mostly(st.lists(_mostly(MESSAGES), max_size=most))


@st.composite
def sick_states(draw: st.DrawFn) -> State:
    """A state in which anything may be anything."""
    state: Any = structure()
    state["version"] = "2.0.0"
    state["session"] |= {"id": "S1"}
    execution, communication = state["execution"], state["communication"]
    execution["tasks"] = draw(_by_name(TASKS))
    execution["agents"] = draw(_mostly(st.fixed_dictionaries({"active": _by_name(AGENTS), "pool": _by_name(AGENTS)})))
    communication["message_queues"] = draw(_mostly(st.dictionaries(_NAMES, _queue(), max_size=3)))
    for channel in ("broadcast", "handoffs", "dead_letter"):
        communication["channels"][channel] = draw(_queue(2))
    coordination = communication["coordination"]
    coordination["locks"] = draw(_by_name(LOCKS))
    dependencies = coordination["dependencies"]
    dependencies["graph"] = draw(
        _mostly(st.fixed_dictionaries({"nodes": _by_name(ANYTHING), "edges": _mostly(st.lists(EDGES, max_size=6))}))
    )
    dependencies["blocks"] = draw(_mostly(st.lists(BLOCKS, max_size=3)))
    state["observability"]["events"]["recent"] = draw(
        _mostly(st.lists(_mostly(st.builds(an_event, _NAMES)), max_size=4))
    )
    for _ in range(draw(st.integers(0, 3))):
        _replace(draw, state)
    return dict(state)


def _replace(draw: st.DrawFn, thing: Any) -> None:
    """Something somewhere is anything, is gone, or has something beside it."""
    while isinstance(thing, dict) and thing:
        key = draw(st.sampled_from(sorted(thing)))
        if isinstance(thing[key], dict) and draw(st.integers(0, 4)):
            thing = thing[key]
            continue
        what = draw(st.integers(0, 2))
        if what == 0:
            del thing[key]
        elif what == 1:
            thing[key] = draw(ANYTHING)
        else:
            thing[f"x-{draw(st.text(max_size=2))}"] = draw(ANYTHING)
        return


_AGENT_NAMES = st.frozensets(st.sampled_from(["A1", "A2", "A3", "P1", "T1"]), max_size=2)
EVIDENCE = st.builds(Evidence, now=st.just(NOW), dead=_AGENT_NAMES, alive=_AGENT_NAMES)


@st.composite
def valid_states(draw: st.DrawFn) -> State:
    """A state in which nothing is wrong."""
    names = [f"T{number}" for number in range(draw(st.integers(0, 6)))]
    agents = [f"A{number}" for number in range(draw(st.integers(0, 3)))]
    tasks = []
    for name in names:
        status = draw(_TASK_STATUS)
        can_have = status not in {"pending", "blocked"}
        assignee = draw(st.sampled_from(agents)) if agents and can_have else None
        if status in {"assigned", "in_progress"} and assignee is None:
            status = "pending"
        tasks.append(a_task(name, status, assignee=assignee, priority=draw(st.sampled_from(["critical", "low"]))))
    pairs = [(before, after) for place, before in enumerate(names) for after in names[place + 1 :]]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)) if pairs else []
    queues = {name: [a_message(f"M-{name}-{place}") for place in range(draw(st.integers(0, 3)))] for name in agents}
    state = a_session(
        tasks=tasks,
        agents=[an_agent(name, pid=4000) for name in agents],
        pool=[an_agent("P1")],
        queues=queues,
        locks={"db": a_lock(agents[0])} if agents else {},
        edges=[an_edge(before, after) for before, after in edges],
        events=[an_event(f"E{number}") for number in range(draw(st.integers(0, 3)))],
    )
    for part in draw(st.lists(st.sampled_from(sorted(state)), unique=True)):
        if isinstance(state[part], dict):
            state[part]["x-own"] = draw(ANYTHING)
    for task in state["execution"]["tasks"].values():
        task["x-own"] = draw(ANYTHING)
    return state
