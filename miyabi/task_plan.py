"""What a run does about the tasks of a host: who is given what, and who has to look at it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from miyabi.agent_remedy import MARGIN, SURE
from miyabi.agent_state import Judgement
from miyabi.continuation import continuation_of, prompt_of, unfinished_of, withdrawal_of
from miyabi.partial_work import Work, unknown_work
from miyabi.spec_tasks import Task
from miyabi.state import Observed
from miyabi.task_assignment import WITHDRAWN, Assignment
from miyabi.task_registry import HOLDING, AgentEntry, Registry, TaskEntry, next_tasks, peers
from miyabi.task_strategy import AgentStanding, Choice, Situation, choose

_STANDINGS: dict[str, AgentStanding] = {
    "working": "back",
    "idle": "back",
    "permission": "human",
    "trust": "human",
    "login": "human",
    "context-full": "human",
    "looping": "human",
    "limited": "limited",
    "overloaded": "overloaded",
    "exited": "held",
    "dead": "held",
}


@dataclass(frozen=True, slots=True)
class AgentNow(Observed):
    """How an agent is, as far as its tasks are concerned.

    + standing: see ``miyabi.task_strategy``
    + is_ready: whether it is certain that it waits for a new line
    + is_over: whether it is certain that its usage limit has ended, and it waits to be told so
    + is_settling: whether it would be one of these, had two looks agreed on it
    + mark: the very process that it is, as ``miyabi.task_assignment.mark_of`` writes it; "" when there is none
    + session_id: of the conversation that it leads; "" when nobody knows
    + until, since: when it ends by itself, and since when it is so, seconds since the epoch; None when nobody knows
    """

    name: str
    standing: AgentStanding = "unknown"
    is_ready: bool = False
    is_over: bool = False
    is_settling: bool = False
    mark: str = ""
    session_id: str = ""
    until: float | None = None
    since: float | None = None


def agent_now(known: AgentNow, judged: Judgement | None, now: float) -> AgentNow:
    """How an agent is, by the verdict on it; None is that nobody can tell.

    + known: what is known of it besides
    + now: the host's clock, seconds since the epoch
    """
    if judged is None:
        return known
    is_sure = judged.confidence >= SURE
    standing = _STANDINGS.get(judged.condition, "unknown") if is_sure else "unknown"
    is_past = judged.until is not None and judged.until + MARGIN <= now
    rests = is_sure and judged.condition == "idle" and not judged.menu
    is_over = standing == "limited" and is_past and not judged.menu
    return replace(
        known,
        standing=standing,
        is_ready=rests and judged.confirmed,
        is_over=is_over and judged.confirmed,
        is_settling=(rests or is_over) and not judged.confirmed,
        until=judged.until,
    )


@dataclass(frozen=True, slots=True)
class TaskStep(Observed):
    """One thing that is done about a task.

    + does: hand: it is given to ``agent``, who is told ``text``. settle: it is done, and its agent is free.
      withdraw: ``agent`` hears that it has it no more. tell: a human hears of it. wait: nothing, yet
    + assignment: what the register then says of ``agent``; None is nothing
    + leaves: the agent that had it before, when that is another one
    + choice: why; None when it is given to somebody for the first time, or is done
    """

    does: Literal["hand", "settle", "withdraw", "tell", "wait"]
    task: Task
    agent: str = ""
    text: str = ""
    assignment: Assignment | None = None
    leaves: str = ""
    choice: Choice | None = None

    @property
    def words(self) -> str:
        """What is done, for the user."""
        said = f": {self.choice.reason}" if self.choice else ""
        if self.does == "hand":
            how = f"{self.choice.strategy}, given to" if self.choice else "given to"
            return f"{how} {self.agent}{said}"
        if self.does == "settle":
            return f"done by {self.agent}"
        if self.does == "withdraw":
            return f"{self.agent} hears that another agent has it"
        return f"{self.choice.strategy if self.choice else 'wait'}{said}"


def asked_about(registry: Registry, agents: Mapping[str, AgentNow]) -> tuple[TaskEntry, ...]:
    """The tasks of which more has to be known: what is left of the work on them, and whether they are done."""
    return tuple(each for each in registry.tasks if _is_due(each, agents))


def _is_due(entry: TaskEntry, agents: Mapping[str, AgentNow]) -> bool:
    if entry.assignment is None or entry.state not in HOLDING:
        return False
    now = agents.get(entry.agent, AgentNow(entry.agent))
    if entry.state != "running":
        return True
    if now.standing in {"limited", "overloaded", "held"}:
        return True
    if now.standing == "back" and now.mark and now.mark != entry.assignment.mark:
        return True
    return now.is_ready and entry.task.done_when is not None


def plan_tasks(
    registry: Registry, agents: Mapping[str, AgentNow], works: Mapping[str, Work], now: float
) -> tuple[TaskStep, ...]:
    """What is done about the tasks of a host, in the order of the spec.

    + registry: with what each ``done_when`` said of those tasks that ``asked_about`` names
    + works: what is left of the work on them, by their ids
    + now: the host's clock, seconds since the epoch
    """
    fit = {name for name, each in agents.items() if each.is_ready}
    around = _Around(registry, agents, works, fit, now)
    steps = []
    for entry in registry.tasks:
        step = around.about(entry)
        if step is not None:
            steps.append(step)
            # Nobody is told two things at once, nor before what it has done is written down.
            fit -= {step.agent} if step.does in {"hand", "settle"} else set()
    steps += _withdrawn(registry, agents)
    steps += [_first(entry, agent, agents[agent.name], now) for entry, agent in next_tasks(registry, fit)]
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class _Around:
    """All that a choice goes by; ``fit`` are the agents that may be told something yet."""

    registry: Registry
    agents: Mapping[str, AgentNow]
    works: Mapping[str, Work]
    fit: set[str]
    now: float

    def about(self, entry: TaskEntry) -> TaskStep | None:
        """What is done about a task that somebody has; None when that is nothing."""
        if entry.assignment is None:
            return None
        if entry.state == "done":
            return TaskStep("settle", entry.task, entry.agent)
        if not _is_due(entry, self.agents):
            return None
        agent = self.agents.get(entry.agent, AgentNow(entry.agent))
        is_same = agent.mark == entry.assignment.mark
        if is_same and entry.state == "running" and agent.standing == "back":
            # It has come to rest by itself: whoever works with it sees that.
            rests = Choice("wait", "rests", "its agent rests, and done_when fails")
            return TaskStep("wait", entry.task, entry.agent, choice=rests)
        situation = Situation(
            task=entry.task,
            work=self.works.get(entry.task.id, unknown_work("nobody has looked")),
            standing=agent.standing,
            tries=entry.assignment.tries,
            checkpoint=entry.checkpoint,
            resumed=_resumed(entry.assignment, agent, is_same=is_same),
            until=agent.until,
            since=agent.since,
            peers=tuple(each.name for each in peers(self.registry, entry, self.fit)),
            said="" if entry.state in {"running", "claimed"} else f"its agent says {entry.state}: {entry.why}",
        )
        return _chosen(entry, choose(situation, self.now), situation.work, self.agents, self.now)


def _resumed(assignment: Assignment, agent: AgentNow, *, is_same: bool) -> bool | None:
    """Whether an agent leads the conversation in which it was given its task; None when nobody knows."""
    if is_same:
        return True
    if not assignment.session_id or not agent.session_id:
        return None
    return assignment.session_id == agent.session_id


def _chosen(entry: TaskEntry, choice: Choice, work: Work, agents: Mapping[str, AgentNow], now: float) -> TaskStep:
    task, assignment = entry.task, entry.assignment
    if assignment is None or choice.strategy == "wait":
        return TaskStep("wait", task, entry.agent, choice=choice)
    if choice.strategy == "escalate":
        told = replace(assignment, strategy=choice.strategy, reason=choice.reason)
        return TaskStep("tell", task, entry.agent, assignment=told, choice=choice)
    name = choice.agent or entry.agent
    agent = agents[name]
    if not agent.is_ready:
        waiting = Choice("wait", "not-ready", f"{choice.strategy} as soon as {name} waits for a new line")
        return TaskStep("wait", task, entry.agent, choice=waiting)
    if choice.is_new:
        text = prompt_of(task, folder=entry.worktree, work=work, checkpoint=entry.checkpoint)
    elif entry.state == "claimed":
        text = unfinished_of(task)
    else:
        text = continuation_of(task, entry.checkpoint, work, folder=entry.worktree)
    handed = replace(
        assignment,
        agent=name,
        at=now,
        mark=agent.mark,
        tries=assignment.tries + 1,
        session_id=agent.session_id,
        strategy=choice.strategy,
        reason=choice.reason,
    )
    leaves = entry.agent if name != entry.agent else ""
    return TaskStep("hand", task, name, text, handed, leaves, choice)


def _withdrawn(registry: Registry, agents: Mapping[str, AgentNow]) -> Iterator[TaskStep]:
    for each in registry.agents:
        entry = registry.task(each.withdrawn) if each.withdrawn else None
        now = agents.get(each.name, AgentNow(each.name))
        # To go on is what it must not be told.
        if entry is not None and (now.is_ready or now.is_over):
            yield TaskStep("withdraw", entry.task, each.name, withdrawal_of(entry.task))


def _first(entry: TaskEntry, agent: AgentEntry, there: AgentNow, now: float) -> TaskStep:
    folder = entry.task.worktree or agent.worktree
    assignment = Assignment(
        task=entry.task.id,
        agent=agent.name,
        since=now,
        at=now,
        mark=there.mark,
        tries=1,
        session_id=there.session_id,
        worktree=folder,
    )
    return TaskStep("hand", entry.task, agent.name, prompt_of(entry.task, folder=folder), assignment)


def left_behind(assignment: Assignment) -> Assignment:
    """What the register says of an agent whose task another one has now."""
    return replace(assignment, strategy=WITHDRAWN)
