"""What waits for what: the tasks' own lists, the graph and the blocks, made to agree. Pure.

A dependency may be written down at three places: task T2's ``dependencies`` name T1, T1's ``blocking`` names T2, and
the graph has an edge from T1 to T2. A program may use one of them only; those that a state uses must say the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence
from miyabi.orchestration.heal_structure import INCONSISTENT, WRONG
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import EDGES, ENDED, NODES, TASKS, State, at, objects
from miyabi.orchestration.values import dotted, first, kind_of, names, placed, said, text

BLOCKS = ("communication", "coordination", "dependencies", "blocks")
LISTS = ("dependencies", "blocking")

_NAMES = ("id", "task", "task_id")
_BEFORE = ("from", "source")
_AFTER = ("to", "target")
_BLOCKED = ("blocked", "blocked_task", "task", "task_id", "to")
_BLOCKERS = ("blocker", "blocked_by", "blocking_task", "by", "from")

Step = Iterator[Change | Archived]


def named_by(entry: object) -> str:
    """The task that an entry of a task's list names, as a name or as an object; "" is none."""
    return text(first(entry, _NAMES)) if isinstance(entry, dict) else text(entry)


def listed_in(task: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The entries of a task's list by the task that each names, the first of each."""
    there = task.get(key)
    found: dict[str, Any] = {}
    for entry in there if isinstance(there, list) else ():
        found.setdefault(named_by(entry), entry)
    found.pop("", None)
    return found


def ends_of(edge: object) -> tuple[str, str] | None:
    """What an edge says to be done first, and what waits for it; None when it does not say both."""
    if isinstance(edge, dict):
        before, after = text(first(edge, _BEFORE)), text(first(edge, _AFTER))
    elif isinstance(edge, list) and len(edge) == 2:
        before, after = text(edge[0]), text(edge[1])
    else:
        return None
    return (before, after) if before and after else None


def blocked_by(block: object) -> tuple[str, tuple[str, ...]]:
    """Whom a block holds back, and what holds it; "" and nothing when it does not say."""
    if not isinstance(block, dict):
        return "", ()
    key = next((key for key in _BLOCKED if block.get(key) is not None), "")
    return text(block.get(key)), tuple(names(first({**block, key: None}, _BLOCKERS)))


def without_blockers(block: Mapping[str, Any], gone: Collection[str]) -> dict[str, Any]:
    """A block that several things hold, without these of them."""
    held = {key for key in _BLOCKED if block.get(key) is not None}
    key = next(key for key in _BLOCKERS if isinstance(block.get(key), list) and (key not in held or len(held) > 1))
    return {**block, key: [each for each in block[key] if each not in gone]}


def listed(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Each task's lists of other tasks: names of tasks that are there, each once."""
    tasks = objects(state, TASKS)
    others = _others(state, tasks)
    for name, task in tasks.items():
        for key in LISTS:
            there = task.get(key)
            if there:
                yield from _cleared(task, key, (*TASKS, name, key), tasks.keys() | others if others else tasks)


def _others(state: State, tasks: Mapping[str, Any]) -> set[str]:
    """Nodes of the graph that say to be something else than a task."""
    return {name for name, node in at(state, NODES).items() if name not in tasks and _is_other(node)}


def _is_other(node: object) -> bool:
    return isinstance(node, dict) and text(first(node, ("type", "kind"))) not in {"", "task"}


def _cleared(task: dict[str, Any], key: str, path: tuple[str, ...], there: Any) -> Step:
    entries = task[key]
    if isinstance(entries, str):
        task[key] = entries = [entries]
        yield Change(WRONG, dotted(path), f"{placed(path)} is a text, and should be a list", "made a list")
    if not isinstance(entries, list):
        found = f"{placed(path)} is {kind_of(entries)}, and should be a list"
        task[key] = []
        yield Archived("malformed", "", dotted(path), found, entries)
        yield Change(WRONG, dotted(path), found, "archived, and begun anew")
        return
    kept: list[Any] = []
    seen: set[str] = set()
    for entry in entries:
        name = named_by(entry)
        if name in there and name not in seen:
            kept.append(entry)
            seen.add(name)
            continue
        flaw = "twice" if name in seen else "which is not there" if name else "which is no task"
        found = f"task {said(path[-2])} names {said(name) or kind_of(entry)} in {key}, {flaw}"
        yield Archived("dependency", "", dotted(path), found, entry)
        yield Change(INCONSISTENT, dotted(path), found, "taken out of the list, and archived")
    if len(kept) != len(entries):
        task[key] = kept


def nodes_and_edges(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Nodes and edges of tasks that are gone are archived; a graph in which nothing is a task is of something else."""
    tasks, nodes, edges = objects(state, TASKS), at(state, NODES), at(state, EDGES)
    if not tasks.keys().isdisjoint([*nodes, *(name for edge in edges for name in ends_of(edge) or ())]):
        for name in [name for name, node in nodes.items() if name not in tasks and not _is_other(node)]:
            found = f"node {said(name)} of the graph is no task that is there"
            yield Archived("node", name, dotted(NODES, name), found, nodes.pop(name))
            yield Change(INCONSISTENT, dotted(NODES, name), found, "archived")
    kept: list[Any] = []
    seen: set[tuple[str, str]] = set()
    for edge in edges:
        ends = ends_of(edge)
        found = _flaw(ends, seen, tasks, nodes)
        if found or ends is None:
            yield Archived("edge", "", dotted(EDGES), found, edge)
            yield Change(INCONSISTENT, dotted(EDGES), found, "archived")
            continue
        kept.append(edge)
        seen.add(ends)
        for name in ends:
            if name not in nodes:
                nodes[name] = {"type": "task"}
                missing = f"task {said(name)} has edges, and is no node of the graph"
                yield Change(INCONSISTENT, dotted(NODES, name), missing, "added")
    edges[:] = kept
    yield from _blocks(state, tasks)


def _flaw(
    ends: tuple[str, str] | None, seen: set[tuple[str, str]], tasks: Mapping[str, Any], nodes: Mapping[str, Any]
) -> str:
    if ends is None:
        return "an edge of the graph does not say what waits for what"
    words = f"the edge of the graph from {said(ends[0])} to {said(ends[1])}"
    gone = next((name for name in ends if name not in tasks and name not in nodes), None)
    if gone is not None:
        return f"{words} names {said(gone)}, which is not there"
    return f"{words} is there twice" if ends in seen else ""


def _blocks(state: State, tasks: Mapping[str, Any]) -> Step:
    """Blocks that hold back a task that is not there."""
    blocks = at(state, BLOCKS)
    gone = {place for place, block in enumerate(blocks) if (name := blocked_by(block)[0]) and name not in tasks}
    for place in sorted(gone):
        found = f"a block holds back {said(blocked_by(blocks[place])[0])}, which is not there"
        yield Archived("block", "", dotted(BLOCKS), found, blocks[place])
        yield Change(INCONSISTENT, dotted(BLOCKS), found, "archived")
    if gone:
        blocks[:] = [block for place, block in enumerate(blocks) if place not in gone]


def agreement(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """What one of the places that a state uses says of two open tasks, the others say, too: nothing is begun early."""
    tasks = objects(state, TASKS)
    own = {key: {name: listed_in(task, key) for name, task in tasks.items() if task.get(key)} for key in LISTS}
    edges = dict.fromkeys(ends for edge in at(state, EDGES) if (ends := ends_of(edge)))
    waits = {(before, after): None for after, there in own["dependencies"].items() for before in there}
    blocks = {(before, after): None for before, there in own["blocking"].items() for after in there}
    # A task without a name can be named by nobody else.
    is_open = {name for name, task in tasks.items() if name and text(task.get("status")) not in ENDED}
    for link in {**waits, **blocks, **edges}:
        before, after = link
        if before not in is_open or after not in is_open:
            continue
        found = f"task {said(after)} waits for {said(before)}, which "
        if waits and link not in waits:
            path = _listed_too(tasks[after], "dependencies", before, after)
            yield Change(INCONSISTENT, path, f"{found}its dependencies do not say", "added")
        if blocks and link not in blocks:
            path = _listed_too(tasks[before], "blocking", after, before)
            yield Change(INCONSISTENT, path, f"{found}does not say that it blocks it", "added")
        if edges and link not in edges:
            at(state, EDGES).append({"from": before, "to": after})
            for name in link:
                at(state, NODES).setdefault(name, {"type": "task"})
            yield Change(INCONSISTENT, dotted(EDGES), f"{found}the graph does not say", "added")


def _listed_too(task: dict[str, Any], key: str, name: str, own: str) -> str:
    there = task.get(key)
    task[key] = [*(there if isinstance(there, list) else ()), name]
    return dotted(TASKS, own, key)
