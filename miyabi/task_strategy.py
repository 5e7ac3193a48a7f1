"""What is done with a task whose agent has failed: one table, the first row that holds is the answer. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from miyabi.checkpoint import Checkpoint, Trouble
from miyabi.partial_work import Sign, Work
from miyabi.spec_tasks import Task
from miyabi.state import Observed

# resume: the same agent goes on. restart: it begins anew. reassign: another one goes on. escalate: a human has to look.
# wait: nothing yet, as something is still unknown, or ends by itself.
Strategy = Literal["resume", "restart", "reassign", "escalate", "wait"]

# back: it runs again. limited: until a time. overloaded: its service is. human: it waits for one. held: nothing brings
# it back, or the gate does not let it. unknown: nobody can tell.
AgentStanding = Literal["back", "limited", "overloaded", "human", "held", "unknown"]

# How often a task is handed to somebody until a human has to look.
MOST_TRIES = 3

# Seconds for which an agent that comes back by itself is waited for.
PATIENCE = 1800.0


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the choice goes by.

    + work: what is left of the work
    + standing: how its agent is
    + tries: how often it was handed to somebody so far
    + checkpoint: what its agent wrote last, or why that is not believed; None when there is nothing
    + resumed: whether its agent has taken up the same conversation again; None when nobody knows
    + until: when the agent comes back by itself, seconds since the epoch; None when nobody knows
    + since: since when the agent is as it is, None when nobody knows
    + peers: agents that it may be given to
    + said: what its agent said of it: "" is nothing, else ``failed`` or ``blocked`` and why
    """

    task: Task
    work: Work
    standing: AgentStanding
    tries: int
    checkpoint: Checkpoint | Trouble | None = None
    resumed: bool | None = None
    until: float | None = None
    since: float | None = None
    peers: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Choice(Observed):
    """What is done with a task, and why.

    + rule: the row of the table
    + agent: who gets it; "" is nobody, or whoever has it
    + is_new: whether the agent must be told the whole task, as it does not remember it
    """

    strategy: Strategy
    rule: str
    reason: str
    agent: str = ""
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table."""

    rule: str
    holds: Callable[[Situation, float], bool]
    strategy: Strategy
    reason: Callable[[Situation], str]
    is_new: Callable[[Situation], bool] = field(default=lambda _: False)


def choose(situation: Situation, now: float) -> Choice:
    """What is done with a task whose agent has failed; the same for the same situation.

    + now: seconds since the epoch on the host
    """
    row = next(each for each in ROWS if each.holds(situation, now))
    agent = situation.peers[0] if row.strategy == "reassign" else ""
    return Choice(row.strategy, row.rule, row.reason(situation), agent, row.is_new(situation))


def _is(*signs: Sign) -> Callable[[Situation, float], bool]:
    return lambda situation, _: any(sign in situation.work.signs for sign in signs)


def _work(situation: Situation) -> str:
    return str(situation.work)


def _is_away(situation: Situation, now: float) -> bool:
    """Whether its agent does not come back, or not soon."""
    if situation.standing == "held":
        return True
    if situation.standing not in {"limited", "overloaded"}:
        return False
    if situation.until is not None:
        return situation.until - now > PATIENCE
    return situation.since is not None and now - situation.since > PATIENCE


def _away(situation: Situation) -> str:
    return {"held": "its agent does not come back", "limited": "its agent has reached its usage limit"}.get(
        situation.standing, "its agent's service is overloaded"
    )


def _begun(situation: Situation) -> bool:
    """Whether anything was done on it."""
    checkpoint = situation.checkpoint
    steps = isinstance(checkpoint, Checkpoint) and bool(checkpoint.completed_steps or checkpoint.files)
    pushed = {"pushed", "pr-open", "pr-closed", "merged", "tests-failing", "wrong-branch", "detached", "stale-lock"}
    return steps or situation.work.is_kept or bool(pushed & set(situation.work.signs))


def _may_be_lost(work: Work) -> bool:
    """Whether a folder that is gone had something that is nowhere else, or nobody knows."""
    return work.facts is None or work.facts.missing_work != 0


def _lost(situation: Situation) -> str:
    known = situation.work.facts is not None and situation.work.facts.missing_work is not None
    return f"{situation.work}" + ("" if known else "; what it held is unknown")


# One at a time: what a row does not say, the rows above it have ruled out.
ROWS: tuple[Row, ...] = (
    Row("unclear-agent", lambda s, _: s.standing == "unknown", "wait", lambda _: "how its agent is, is unknown"),
    Row("human", lambda s, _: s.standing == "human", "wait", lambda _: "its agent waits for a human"),
    Row("said", lambda s, _: bool(s.said), "escalate", lambda s: s.said),
    Row(
        "tries",
        lambda s, _: s.tries >= MOST_TRIES,
        "escalate",
        lambda s: f"it was handed over {s.tries} times, and its agent failed each time",
    ),
    Row("unsafe", _is("unsafe"), "escalate", _work),
    Row("unknown-work", lambda s, _: s.work.state == "unknown", "wait", _work),
    Row("conflict", _is("conflict"), "escalate", _work),
    Row("lost-folder", lambda s, _: _is("folder-missing")(s, 0) and _may_be_lost(s.work), "escalate", _lost),
    Row("gone-folder", _is("folder-missing"), "restart", lambda s: f"{s.work}, and nothing is lost", lambda _: True),
    Row("at-work", _is("locked"), "wait", _work),
    Row(
        "reassign",
        lambda s, now: _is_away(s, now) and bool(s.peers),
        "reassign",
        lambda s: f"{_away(s)}, and {s.peers[0]} of the same role is free; {s.work}",
        lambda _: True,
    ),
    Row("held", lambda s, _: s.standing == "held", "escalate", lambda s: f"{_away(s)}, and nobody else is free"),
    Row("away", lambda s, _: s.standing in {"limited", "overloaded"}, "wait", _away),
    Row(
        "nothing-begun",
        lambda s, _: not _begun(s) and s.resumed is not True,
        "restart",
        lambda s: f"it had not got anywhere: {s.work}",
        lambda _: True,
    ),
    Row(
        "new-conversation",
        lambda s, _: s.resumed is not True,
        "resume",
        lambda s: f"another conversation goes on with what is there: {s.work}",
        lambda _: True,
    ),
    Row("same-conversation", lambda _, __: True, "resume", lambda s: f"the same conversation goes on: {s.work}"),
)
