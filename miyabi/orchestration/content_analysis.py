"""A session's file analysed by its content alone: read, repaired in thought, healed in thought, validated. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from miyabi.orchestration.analysis import Analysis, worst
from miyabi.orchestration.findings import Evidence, Issue
from miyabi.orchestration.healing import heal, issues_of, next_due
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.salvage import Salvaged, salvage
from miyabi.orchestration.session_schema import schema_flaws
from miyabi.orchestration.session_state import (
    AGENTS,
    CHANNELS,
    DEAD,
    ENDED,
    LAST_ACTIVITY,
    LOCKS,
    QUEUES,
    RECENT_EVENTS,
    TASKS,
    State,
    at,
    objects,
)
from miyabi.orchestration.values import moment, said, text

# How much of what is missing is told.
_TOLD = 5


def analysed(content: bytes, changed_at: float, rules: Orchestration) -> Analysis:
    """See ``miyabi.orchestration.analysis.analyse``."""
    salvaged = salvage(content)
    issues = [corruption(content, salvaged)] if salvaged.flaw else _doubled(salvaged)
    state = salvaged.state
    if state is None:
        return Analysis(tuple(issues), worst(issues))
    healed = heal(state, Evidence(now=changed_at), rules, len(content))
    issues += issues_of(healed)
    issues += schema_flaws(healed.state)
    due_at = next_due(state, rules, len(content), after=changed_at)
    due = () if due_at is None else issues_of(heal(state, Evidence(now=due_at), rules, len(content)))
    return Analysis(
        issues=tuple(issues),
        severity=worst(issues),
        session_id=text(at(state, ("session", "id"))),
        last_activity=moment(at(state, LAST_ACTIVITY)),
        counts=counts(state),
        pids=agent_pids(state),
        next_due=due_at,
        due=tuple(issue for issue in due if issue not in issues),
    )


def corruption(content: bytes, salvaged: Salvaged) -> Issue:
    """What is wrong with a content that is no state as it stands, and how bad that is.

    + salvaged: what could be read of it
    """
    code = "SESSION_CORRUPTED" if content.strip() else "SESSION_INIT_FAILED"
    found = (
        f"; missing: {'; '.join(salvaged.missing[:_TOLD])}" if salvaged.missing else "; all that it holds can be read"
    )
    more = f"; and {len(salvaged.missing) - _TOLD} more" if len(salvaged.missing) > _TOLD else ""
    return Issue(code, salvaged.severity, "", salvaged.flaw + found + more)


def _doubled(salvaged: Salvaged) -> list[Issue]:
    return [
        Issue("STATE_VALIDATION_FAILED", "minor", each.path, f"{said(each.path)} stands there more than once")
        for each in salvaged.archived
    ]


def agent_pids(state: State) -> dict[str, int]:
    """The processes that the active agents say they are, by the agents' ids; not of those that say they are dead."""
    agents = objects(state, AGENTS)
    pids = {name: agent.get("pid") for name, agent in agents.items() if text(agent.get("status")) not in DEAD}
    return {name: pid for name, pid in pids.items() if type(pid) is int and pid > 0}


def counts(state: State) -> dict[str, int]:
    """How many of what a state has."""
    tasks = objects(state, TASKS)
    channels = at(state, CHANNELS)
    letters = at(state, (*CHANNELS, "dead_letter"))
    messages = _messages(at(state, QUEUES)) + _messages(channels)
    dead_letters = len(letters) if isinstance(letters, list) else 0
    recent = at(state, RECENT_EVENTS)
    return {
        "tasks": len(tasks),
        "open_tasks": sum(text(task.get("status")) not in ENDED for task in tasks.values()),
        "agents": len(objects(state, AGENTS)),
        "pooled": len(objects(state, ("execution", "agents", "pool"))),
        "messages": messages - dead_letters,
        "dead_letters": dead_letters,
        "locks": len(objects(state, LOCKS)),
        "events": len(recent) if isinstance(recent, list) else 0,
    }


def _messages(lists: object) -> int:
    return sum(len(each) for each in lists.values() if isinstance(each, list)) if isinstance(lists, Mapping) else 0
