"""A session's file analysed by its content alone: read, repaired in thought, healed in thought, validated. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from miyabi.masking import shown
from miyabi.orchestration.analysis import Analysis, worst
from miyabi.orchestration.findings import Evidence, Issue, Severity
from miyabi.orchestration.healing import heal, issues_of, next_due
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_json import Read, read_state, repair_text
from miyabi.orchestration.session_schema import schema_flaws
from miyabi.orchestration.session_state import (
    AGENTS,
    CHANNELS,
    DEAD,
    ENDED,
    LAST_ACTIVITY,
    LOCKS,
    PARTS,
    QUEUES,
    RECENT_EVENTS,
    TASKS,
    State,
    at,
    objects,
)
from miyabi.orchestration.values import moment, text
from miyabi.words import counted

# How many of the words that a repair could not place are told.
_TOLD = 5


def analysed(content: bytes, changed_at: float, rules: Orchestration) -> Analysis:
    """See ``miyabi.orchestration.analysis.analyse``."""
    read = read_state(content)
    issues: list[Issue] = []
    if read.state is None:
        repaired = repair_text(content)
        issues.append(corruption(content, read, repaired))
        read = repaired or read
    issues += [
        Issue("STATE_VALIDATION_FAILED", "minor", each.path, "it stands there more than once; the last one counts")
        for each in read.doubled
    ]
    if read.state is None:
        return Analysis(tuple(issues), worst(issues))
    state = read.state
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


def corruption(content: bytes, read: Read, repaired: Read | None) -> Issue:
    """What is wrong with a content that is no state, and how bad that is.

    + read: what reading it strictly said
    + repaired: what a repair made of it; None when nothing
    """
    code = "SESSION_CORRUPTED" if content.strip() else "SESSION_INIT_FAILED"
    if repaired is None or repaired.state is None:
        return Issue(code, "critical", "", f"{read.flaw}; no state can be read from it")
    return Issue(code, severity_of(repaired), "", f"{read.flaw}; {_left(repaired)}")


def severity_of(repaired: Read) -> Severity:
    """How bad it is that a content could be read only after a repair.

    minor: all that is in it was found. major: a part is missing, or words of it are. critical: hardly anything is left.
    """
    state = repaired.state or {}
    parts = sum(part in state for part in PARTS)
    if parts == 0:
        return "critical"
    return "minor" if parts == len(PARTS) and not repaired.lost else "major"


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


def _left(repaired: Read) -> str:
    missing = [part for part in PARTS if part not in (repaired.state or {})]
    if repaired.lost:
        told = ", ".join(shown(word[:40]) for word in repaired.lost[:_TOLD])
        more = f" and {len(repaired.lost) - _TOLD} more" if len(repaired.lost) > _TOLD else ""
        return f"{counted(len(repaired.lost), 'word')} of it cannot be placed: {told}{more}"
    if missing:
        return f"what is left has no {', '.join(missing)}"
    return "all that it holds can be read"
