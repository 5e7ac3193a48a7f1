"""A session's state healed: what is wrong in it put right, what cannot stay put into the archive. Pure.

Each step looks at one kind of trouble, in an order in which no later one makes work for an earlier one. What is
reported of a state and what is healed in it is the same: an issue is what a change has found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from miyabi.orchestration import (
    heal_agents as agents,
    heal_deliveries as deliveries,
    heal_dependencies as dependencies,
    heal_graph as graph,
    heal_locks as locks,
    heal_messages as messages,
    heal_references as references,
    heal_structure as structural,
)
from miyabi.orchestration.clean_up import clean_up, clean_up_for, next_clean_up
from miyabi.orchestration.findings import Archived, Change, Evidence, Healed, Issue, Severity
from miyabi.orchestration.heal_agents import living_children
from miyabi.orchestration.heal_locks import due_of
from miyabi.orchestration.heal_structure import MISSING
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import AGENTS, LOCKS, PARTS, QUEUES, TASKS, State, at
from miyabi.orchestration.values import dotted
from miyabi.orchestration.working_copy import working_copy

__all__ = ["STEPS", "Step", "clean_up", "heal", "issues_of", "living_children", "next_due"]

Step = Callable[[State, Evidence, Orchestration], Iterator[Change | Archived | Issue]]

STEPS: tuple[Step, ...] = (
    structural.parts,
    structural.entries,
    structural.numbers,
    agents.dead,
    agents.circles,
    locks.released,
    references.duplicates,
    references.assignments,
    references.children,
    graph.listed,
    graph.nodes_and_edges,
    graph.agreement,
    dependencies.cycles,
    dependencies.lock_deadlocks,
    dependencies.task_deadlocks,
    dependencies.orphans,
    messages.corrupt,
    deliveries.undelivered,
    deliveries.broadcasts,
    messages.overflow,
)

# What the state's own word on its work stands in. Where it is gone, the event log may still have it.
_WORK = frozenset({"execution", "execution.agents", dotted(TASKS), dotted(AGENTS), "communication", dotted(QUEUES)})
# Of how many of the six parts it is said that the state is gone rather than a part of it.
_MANY = 3


def heal(state: State, evidence: Evidence, rules: Orchestration, size: int | None = None) -> Healed:
    """What is wrong in a state put right; the given state stays as it is, and is the answer when nothing is wrong.

    + evidence: what is known of the world outside; what is unknown is left as it is
    + rules: of the state's workspace
    + size: of the state in bytes; one that is too large is cleaned up, see ``clean_up``. None is that nobody asks

    .. code:: python

        healed = heal(state, Evidence(now=1795237200.0, dead=frozenset({"A1"})), Orchestration("~/repo"))
        healed.changes[0].did  # "back to pending, retry 1"
    """
    copied = working_copy(state)
    changes: list[Change] = []
    archived: list[Archived] = []
    told: list[Issue] = []
    for step in STEPS:
        for found in step(copied, evidence, rules):
            if isinstance(found, Change):
                changes.append(found)
            elif isinstance(found, Archived):
                archived.append(found)
            else:
                told.append(found)
    healed = Healed(copied if changes else state, tuple(changes), tuple(archived), tuple(told))
    how = clean_up_for(size, rules)
    if how is None:
        return healed
    cleaned = clean_up(healed.state, how, evidence, rules)
    return replace(
        cleaned, changes=healed.changes + cleaned.changes, archived=healed.archived + cleaned.archived, told=healed.told
    )


def issues_of(healed: Healed) -> tuple[Issue, ...]:
    """What was wrong with a state, by what healing did and what it left."""
    lost = {each.path for each in healed.archived if _is_lost(each)}
    missing = sum(change.code == MISSING and change.path in PARTS for change in healed.changes)
    severest: Severity = "critical" if missing == len(PARTS) else "major" if missing >= _MANY else "minor"
    return (
        *(Issue(each.code, _severity(each, lost, severest), each.path, each.found) for each in healed.changes),
        *healed.told,
    )


def _severity(change: Change, lost: Collection[str], severest: Severity) -> Severity:
    if change.code == MISSING and change.path in PARTS and severest != "minor":
        return severest
    is_work = change.code == MISSING and change.path in _WORK
    return "major" if is_work or change.path in lost else "minor"


def _is_lost(archived: Archived) -> bool:
    """Whether the archive has what a state must know, and in a form out of which nothing could be made."""
    if archived.kind in {"task", "agent"}:
        return archived.value is not None and not isinstance(archived.value, dict)
    is_queue = archived.path.startswith(dotted(QUEUES, ""))
    return archived.kind == "malformed" and (archived.path in _WORK or is_queue)


def next_due(
    state: State, rules: Orchestration | None = None, size: int | None = None, *, after: float | None = None
) -> float | None:
    """When time alone makes the next change due, seconds since the epoch; None when it never does.

    + rules, size: of a state that may be too large: what has to grow older before it can be taken out counts, too
    + after: what was due by then is left out: a look at that time has judged it already
    """
    locks = at(state, LOCKS)
    dues = [due for lock in (locks.values() if isinstance(locks, dict) else ()) if (due := due_of(lock)) is not None]
    if rules is not None and clean_up_for(size, rules) is not None:
        dues += next_clean_up(state, rules)
    return min((due for due in dues if after is None or due > after), default=None)
