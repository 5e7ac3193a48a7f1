"""Who of a host's agents does which task, and how far it is: the spec, and what the host's register says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from miyabi.checkpoint import Checkpoint, TaskResult, Trouble, read_checkpoint, read_result
from miyabi.drift import Target
from miyabi.spec import Pane, Spec
from miyabi.spec_tasks import Task
from miyabi.state import Observed
from miyabi.task_assignment import WITHDRAWN, Assignment, Register, read_assignment

# waiting: for tasks that it needs. ready: nobody has it yet. running: an agent has it. claimed: its agent says that it
# is done, which done_when has not confirmed. failed, blocked: as its agent says. unknown: nobody can tell who has it.
TaskState = Literal["waiting", "ready", "running", "claimed", "done", "failed", "blocked", "unknown"]

# Tasks that hold an agent.
HOLDING: frozenset[TaskState] = frozenset({"running", "claimed", "failed", "blocked"})


@dataclass(frozen=True, slots=True)
class AgentEntry(Observed):
    """An agent of the registry.

    + target: its pane, as ``miyabi.drift.Target`` is written
    + task: the id of the task that it has; "" is none
    + worktree: where it works: its task's folder, else its own, else where its pane starts; "" is the home
    + withdrawn: a task that it had, and has not heard yet that another one has it now; "" is none
    + unclear: why it is not known what it has; "" when it is
    """

    name: str
    role: str
    target: str
    task: str = ""
    worktree: str = ""
    parallel: bool = False
    withdrawn: str = ""
    unclear: str = ""

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to do, as far as is known."""
        return not (self.task or self.withdrawn or self.unclear)


@dataclass(frozen=True, slots=True)
class TaskEntry(Observed):
    """A task of the registry.

    + agent: who has it, or has done it; "" is nobody
    + doer: the one agent that the spec names for it; "" when any of its role does it
    + why: what it waits for, or what is wrong, in words; "" when there is nothing to say
    + worktree: the folder in which it is done; "" when nobody knows yet
    """

    task: Task
    state: TaskState
    agent: str = ""
    doer: str = ""
    why: str = ""
    worktree: str = ""
    assignment: Assignment | None = None
    checkpoint: Checkpoint | None = None
    result: TaskResult | None = None


@dataclass(frozen=True, slots=True)
class Registry(Observed):
    """All agents and tasks of a host.

    + troubles: files that are not believed, by the agent's or the task's name
    """

    agents: tuple[AgentEntry, ...] = ()
    tasks: tuple[TaskEntry, ...] = ()
    troubles: tuple[tuple[str, Trouble], ...] = ()

    def agent(self, name: str) -> AgentEntry | None:
        """The agent of that name."""
        return next((each for each in self.agents if each.name == name), None)

    def task(self, name: str) -> TaskEntry | None:
        """The task of that id."""
        return next((each for each in self.tasks if each.task.id == name), None)


def agent_panes(wanted: Spec) -> Iterator[tuple[Target, Pane]]:
    """The panes of a spec that have an agent."""
    for session in wanted.sessions:
        for window in session.windows:
            for pane in window.panes:
                if pane.agent is not None:
                    yield Target(session.session_name, window.name, pane.name), pane


def folder_of(task: Task, pane: Pane | None) -> str:
    """The folder in which ``pane``'s agent does ``task``, as the spec writes it; "" is the home, or nobody knows."""
    if task.worktree:
        return task.worktree
    own = pane.agent.worktree if pane and pane.agent else None
    return own or (pane.start_directory if pane else None) or ""


def doer_of(task: Task, panes: Iterable[Pane]) -> str:
    """The one agent that the spec names for a task; "" when any of a role does it."""
    return task.agent or next((pane.name for pane in panes if pane.agent and pane.agent.task == task.id), "")


def result_folders(task: Task, panes: Iterable[Pane]) -> tuple[str, ...]:
    """The folders in which ``task`` may be done, and its results lie, as the spec writes them."""
    there = list(panes)
    doer = doer_of(task, there)
    may = [pane for pane in there if pane.agent and (pane.name == doer if doer else pane.agent.role == task.role)]
    return tuple(dict.fromkeys(folder for pane in may if (folder := folder_of(task, pane))))


def registry_of(wanted: Spec, register: Register, done: Mapping[str, bool | None] | None = None) -> Registry:
    """The registry of a host.

    + done: what each task's ``done_when`` said, by its id; None, or nothing, is that it was not asked
    """
    reading = _Reading(wanted, register, done or {})
    tasks: dict[str, TaskEntry] = {}
    for task in _in_order(wanted.tasks):
        tasks[task.id] = reading.entry(task, tasks)
    entries = tuple(tasks[task.id] for task in wanted.tasks)
    agents = tuple(reading.agent(target, pane, entries) for target, pane in agent_panes(wanted))
    return Registry(agents, entries, tuple(reading.troubles))


def _in_order(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks, each after those that it needs."""
    left = {task.id: task for task in tasks}
    while left:
        # A spec has no circle, but whoever made one by hand must not wait for ever.
        first = next((each for each in left.values() if not left.keys() & set(each.needs)), next(iter(left.values())))
        yield left.pop(first.id)


class _Reading:
    """The files of a register as they are believed."""

    def __init__(self, wanted: Spec, register: Register, done: Mapping[str, bool | None]) -> None:
        self.panes = {pane.name: pane for _, pane in agent_panes(wanted)}
        self.done = done
        self.troubles: list[tuple[str, Trouble]] = []
        self.unclear: dict[str, str] = {}
        self.checkpoints = self._checkpoints(register)
        given = self._assignments(register, {task.id: task for task in wanted.tasks})
        self.assignments = {name: each for name, each in given.items() if each.strategy != WITHDRAWN}
        self.withdrawn = {name: each.task for name, each in given.items() if each.strategy == WITHDRAWN}
        self.results = self._results(register, {task.id: task for task in wanted.tasks})

    def _checkpoints(self, register: Register) -> dict[str, Checkpoint]:
        found = {}
        for name, written in register.checkpoints.items():
            read = read_checkpoint(written, agent=name, now=register.now)
            if isinstance(read, Trouble):
                self.troubles.append((name, read))
            else:
                found[name] = read
        return found

    def _assignments(self, register: Register, tasks: Mapping[str, Task]) -> dict[str, Assignment]:
        found: dict[str, Assignment] = {}
        for name, written in register.assignments.items():
            read = read_assignment(written, name)
            checkpoint = self.checkpoints.get(name)
            if isinstance(read, Assignment):
                found[name] = read
            elif checkpoint is not None and checkpoint.task in tasks:
                # What it says itself is as good.
                self.troubles.append((name, read))
                at, folder = checkpoint.updated_at, folder_of(tasks[checkpoint.task], self.panes.get(name))
                found[name] = Assignment(checkpoint.task, name, at, at, tries=1, worktree=folder)
            else:
                self.troubles.append((name, read))
                self.unclear[name] = f"what it has to do is not known: {read.reason}; look, and remove that file"
        return {name: each for name, each in found.items() if each.task in tasks and name in self.panes}

    def _results(self, register: Register, tasks: Mapping[str, Task]) -> dict[str, TaskResult]:
        found: dict[str, TaskResult] = {}
        for folder, written in register.results:
            read = read_result(written)
            if isinstance(read, Trouble):
                self.troubles.append((written.name, read))
            elif read.task not in tasks:
                continue
            # Whoever works in the folder of one task does not speak for another.
            elif folder in self._folders(tasks[read.task]) and read.changed_at >= found.get(read.task, read).changed_at:
                found[read.task] = read
        return found

    def _folders(self, task: Task) -> set[str]:
        """Where results of a task may lie."""
        given = {each.worktree for each in self.assignments.values() if each.task == task.id}
        return {"", *given, *result_folders(task, self.panes.values())}

    def entry(self, task: Task, earlier: Mapping[str, TaskEntry]) -> TaskEntry:
        """How a task is; those that it needs are in ``earlier``."""
        holders = [each for each in self.assignments.values() if each.task == task.id]
        assignment = max(holders, key=lambda each: each.at, default=None)
        result = self.results.get(task.id)
        doer = doer_of(task, self.panes.values())
        named = assignment.agent if assignment else doer
        checkpoint = self.checkpoints.get(named)
        checkpoint = checkpoint if checkpoint and checkpoint.task == task.id else None
        if result and result.outcome != "done" and assignment and result.changed_at < assignment.at:
            # It was handed out anew since.
            result = None
        state, why = self._state(task, assignment, checkpoint, result, earlier)
        return TaskEntry(
            task=task,
            state=state,
            agent=named if assignment or state == "done" else "",
            doer=doer,
            why=why,
            worktree=assignment.worktree if assignment else folder_of(task, self.panes.get(named)),
            assignment=assignment,
            checkpoint=checkpoint,
            result=result,
        )

    def _state(
        self,
        task: Task,
        assignment: Assignment | None,
        checkpoint: Checkpoint | None,
        result: TaskResult | None,
        earlier: Mapping[str, TaskEntry],
    ) -> tuple[TaskState, str]:
        proved = self.done.get(task.id)
        says = result.outcome if result else checkpoint.status if checkpoint else "running"
        if proved or (says == "done" and not task.done_when):
            return "done", (result.summary if result else "") or ("done_when succeeds" if proved else "")
        if says == "done":
            return (
                "claimed",
                "its agent says done, and done_when fails" if proved is False else "done_when was not asked",
            )
        if says in {"failed", "blocked"}:
            said = result.summary if result else checkpoint.notes if checkpoint else ""
            return ("failed" if says == "failed" else "blocked"), said or f"its agent says that it is {says}"
        if assignment is not None:
            return "running", ""
        if self.unclear and (unclear := self._unclear(task)):
            return "unknown", unclear
        return _before(task, earlier)

    def _unclear(self, task: Task) -> str:
        """Why somebody may have a task of whom that is not known."""
        doer = doer_of(task, self.panes.values())
        for name, why in self.unclear.items():
            agent = self.panes[name].agent if name in self.panes else None
            if agent is not None and (name == doer or (not doer and agent.role == task.role)):
                return f"{name}: {why}"
        return ""

    def agent(self, target: Target, pane: Pane, tasks: Iterable[TaskEntry]) -> AgentEntry:
        """An agent with the task that it has."""
        held = next(
            (each for each in tasks if each.state in HOLDING and each.assignment and each.agent == pane.name), None
        )
        agent = pane.agent
        return AgentEntry(
            name=pane.name,
            role=agent.role if agent else "",
            target=str(target),
            task=held.task.id if held else "",
            worktree=held.worktree if held else (agent.worktree if agent else None) or pane.start_directory or "",
            parallel=agent.parallel if agent else False,
            withdrawn=self.withdrawn.get(pane.name, ""),
            unclear=self.unclear.get(pane.name, ""),
        )


def _before(task: Task, earlier: Mapping[str, TaskEntry]) -> tuple[TaskState, str]:
    """How a task is that nobody has begun."""
    left = [each for name in task.needs if (each := earlier.get(name)) and each.state != "done"]
    if not left:
        return "ready", ""
    told = (
        each.task.id if each.state in {"ready", "running", "waiting"} else f"{each.task.id} ({each.state})"
        for each in left
    )
    return "waiting", f"for {', '.join(told)}"


def next_tasks(registry: Registry, fit: Collection[str]) -> tuple[tuple[TaskEntry, AgentEntry], ...]:
    """Which task is begun now, and by whom, in the order of the spec.

    + fit: the names of the agents that are well, idle and may be given something
    """
    free = [each for each in registry.agents if each.name in fit and each.is_free]
    begun: list[tuple[TaskEntry, AgentEntry]] = []
    used = {each.worktree: each.task.parallel for each in registry.tasks if each.state in HOLDING and each.assignment}
    for entry in registry.tasks:
        if entry.state != "ready":
            continue
        agent = next((each for each in free if _does(entry, each)), None)
        if agent is None:
            continue
        folder = entry.task.worktree or agent.worktree
        if folder in used and not (used[folder] and entry.task.parallel):
            continue
        used[folder] = entry.task.parallel
        free.remove(agent)
        begun.append((entry, agent))
    return tuple(begun)


def _does(entry: TaskEntry, agent: AgentEntry) -> bool:
    return agent.name == entry.doer if entry.doer else bool(entry.task.role) and agent.role == entry.task.role


def peers(registry: Registry, entry: TaskEntry, fit: Collection[str]) -> tuple[AgentEntry, ...]:
    """The agents that a task may be given to instead: of its role, free and well; none when the spec names one."""
    if entry.doer:
        return ()
    return tuple(
        each
        for each in registry.agents
        if _does(entry, each) and each.name in fit and each.name != entry.agent and each.is_free
    )
