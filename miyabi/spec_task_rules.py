"""The rules about the tasks of a spec: who does each, what must be done before, and who shares a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from miyabi.spec_document import Document, nearest, shown
from miyabi.spec_found import Broken, Found, repeated


def _ids(document: Document, root: Found, _: list[Found]) -> Broken:
    yield from repeated(document, root.children("tasks"), "id", "each task once")


def _doers(_: Document, root: Found, sessions: list[Found]) -> Broken:
    """Each task is one agent's, or for one of a role."""
    names = [pane.text("name") for pane in _panes(sessions)]
    agents = [(pane.text("name") or "", agent) for pane in _panes(sessions) if (agent := _agent(pane))]
    called = [name for name, _ in agents if name]
    roles = sorted({role for _, agent in agents if (role := agent.text("role"))})
    owned = {agent.text("task") for _, agent in agents}
    for task in root.children("tasks"):
        name, role = task.text("agent"), task.text("role")
        if name is not None and role is not None:
            yield task.place, "found agent and role", "one of them: who does it, or which role somebody has who does"
        elif name is None and role is None and task.text("id") not in owned:
            allowed = "one of them: an agent's pane, or a role that some agents have"
            yield task.place, "found no agent and no role", allowed
        if name is not None and name not in called:
            found = f"found {shown(name)}, {'a pane without agent' if name in names else 'which no agent is called'}"
            yield (*task.place, "agent"), found, f"the name of a pane with agent{nearest(name, called)}"
        if role is not None and role not in roles:
            found = f"found {shown(role)}, which no agent has"
            yield (*task.place, "role"), found, f"an agent's role{nearest(role, roles)}"


def _owned_tasks(document: Document, root: Found, sessions: list[Found]) -> Broken:
    """What an agent calls its own task is one, and nobody else's."""
    tasks = {name: task for task in root.children("tasks") if (name := task.text("id"))}
    first: dict[str, int] = {}
    for pane in _panes(sessions):
        agent = _agent(pane)
        named = agent.text("task") if agent else None
        if agent is None or named is None:
            continue
        place = (*agent.place, "task")
        if named not in tasks:
            allowed = f"the id of one of the tasks{nearest(named, tasks)}"
            yield place, f"found {shown(named)}, which no task is called", allowed
            continue
        if named in first:
            yield place, f"found {shown(named)} again (first at line {first[named]})", "each task in one agent"
        first.setdefault(named, document.line(place))
        other, role = tasks[named].text("agent"), tasks[named].text("role")
        if other is not None and other != pane.text("name"):
            where = document.line((*tasks[named].place, "agent"))
            yield place, f"found {shown(named)}, which is for {shown(other)} (line {where})", "the same agent in both"
        if role is not None and role != agent.text("role"):
            yield place, f"found {shown(named)}, which is for the role {shown(role)}", "a task for this agent's role"


def _needs(_: Document, root: Found, __: list[Found]) -> Broken:
    tasks = root.children("tasks")
    names = [name for task in tasks if (name := task.text("id"))]
    needs = {name: _needed(task) for task in tasks if (name := task.text("id"))}
    told: set[str] = set()
    for task in tasks:
        for number, name in _written(task):
            if name not in names:
                found = f"found {shown(name)}, which no task is called"
                yield (*task.place, "needs", number), found, f"the id of one of the tasks{nearest(name, names)}"
        own = task.text("id")
        circle = _circle(own, needs) if own is not None and own not in told else None
        if circle:
            told |= set(circle)
            found = f"found {' -> '.join(circle)}: each of them waits for the next"
            yield (*task.place, "needs"), found, "an order in which the tasks can be done"


def _shared_folders(document: Document, root: Found, sessions: list[Found]) -> Broken:
    """Two work in one folder only when both may, or one waits for the other."""
    allowed = "a worktree of its own, parallel: true in both, or one that needs the other"
    needs = {name: _needed(task) for task in root.children("tasks") if (name := task.text("id"))}
    earlier: dict[str, list[Found]] = {}
    for task in root.children("tasks"):
        name, folder = task.text("id"), _folder(task)
        if name is None or folder is None:
            continue
        for other in earlier.setdefault(folder, []):
            theirs = other.text("id") or ""
            if _both_parallel(task, other) or theirs in _all_needed(name, needs) or name in _all_needed(theirs, needs):
                continue
            line = document.line((*other.place, "worktree"))
            found = f"found {shown(task.text('worktree'))}, in which task {theirs} is done, too (line {line})"
            yield (*task.place, "worktree"), found, allowed
            break
        earlier[folder].append(task)
    yield from _shared_by_agents(document, sessions)


def _shared_by_agents(document: Document, sessions: list[Found]) -> Broken:
    first: dict[str, Found] = {}
    for pane in _panes(sessions):
        agent = _agent(pane)
        folder = _folder(agent) if agent else None
        if agent is None or folder is None:
            continue
        other = first.setdefault(folder, agent)
        if other is not agent and not _both_parallel(agent, other):
            line = document.line((*other.place, "worktree"))
            found = f"found {shown(agent.text('worktree'))}, in which another agent works, too (line {line})"
            yield (*agent.place, "worktree"), found, "a worktree of its own, or parallel: true in both"


def _panes(sessions: Iterable[Found]) -> Iterator[Found]:
    for session in sessions:
        for window in session.children("windows"):
            yield from window.children("panes")


def _agent(pane: Found) -> Found | None:
    """What a pane says of its agent; empty for ``agent: true``, None when it has none."""
    return pane.child("agent") or (Found((*pane.place, "agent"), {}) if pane.value.get("agent") is True else None)


def _folder(owner: Found) -> str | None:
    """The folder, so that the same is written the same."""
    text = owner.text("worktree")
    return None if text is None else "/".join(step for step in text.split("/") if step != ".").rstrip("/") or text


def _both_parallel(one: Found, other: Found) -> bool:
    return one.value.get("parallel") is True and other.value.get("parallel") is True


def _written(task: Found) -> Iterator[tuple[int, str]]:
    needs = task.value.get("needs")
    for number, each in enumerate(needs if isinstance(needs, list) else []):
        text = each if isinstance(each, str) else getattr(each, "text", None)
        if text is not None:
            yield number, text


def _needed(task: Found) -> list[str]:
    return [name for _, name in _written(task)]


def _circle(start: str, needs: Mapping[str, list[str]]) -> list[str] | None:
    """The shortest way from a task back to itself, such as ``[a, b, a]``; None when there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in needs.get(way[-1], ()):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None


def _all_needed(name: str, needs: Mapping[str, list[str]]) -> set[str]:
    """All that must be done before a task, directly or not."""
    found: set[str] = set()
    open_ones = [name]
    while open_ones:
        for each in needs.get(open_ones.pop(), ()):
            if each not in found:
                found.add(each)
                open_ones.append(each)
    return found


TASK_RULES: tuple[Callable[[Document, Found, list[Found]], Broken], ...] = (
    _ids,
    _doers,
    _owned_tasks,
    _needs,
    _shared_folders,
)
