"""What an agent is told when it is given a task, or given it back: one line, always the same for the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from miyabi.checkpoint import Checkpoint
from miyabi.masking import masked, plain
from miyabi.partial_work import Sign, Work
from miyabi.spec_tasks import Task

# Characters of a line of continuation, and of one thing in it.
LONGEST = 1500
_LONGEST_THING = 160

# How many steps an agent is reminded of: the last ones.
_STEPS = 6

# What to see to first, by what is left of the work; the first that holds counts.
_FIRST: dict[Sign, str] = {
    "in-progress": "finish or abort that first",
    "stale-lock": "no git runs any more that holds it: remove it first",
    "branch-missing": "make the branch first",
    "wrong-branch": "see first where your changes belong",
    "detached": "put your commits on a branch first",
    "tests-failing": "mend the tests first",
    "folder-missing": "make it anew first",
    "unsafe": "",
    "merged": "see whether anything is left to do",
    "pr-closed": "see why first",
}


def continuation_of(task: Task, checkpoint: Checkpoint | None, work: Work, *, folder: str = "") -> str:
    """The line by which the same conversation goes on with a task.

    + checkpoint: what the agent wrote last of this very task; None when there is nothing that is believed
    + folder: in which it is done; "" is where the agent is

    It holds no secret, no control character, at most ``LONGEST`` characters, and never begins as a command does.
    """
    return _line(
        [
            (
                f"You were interrupted in your task {task.id} and have been started again: go on where you stopped, "
                "and do not begin anew."
            ),
            *_place(task, folder),
            *_progress(checkpoint),
            *_left(work),
            *_end(task),
        ]
    )


def prompt_of(task: Task, *, folder: str = "", work: Work | None = None, checkpoint: Checkpoint | None = None) -> str:
    """The line by which an agent begins a task, or goes on with one that it does not remember.

    + work: what somebody has left of it; None when it is begun for the first time
    + checkpoint: what that one wrote last of it
    """
    prompt = " ".join(plain(task.prompt).split())
    if prompt.startswith(("/", "!", "#")):
        # The agent's own commands take what follows for their arguments.
        return prompt
    begun = work is not None and (checkpoint is not None or work.state not in {"clean", "not-a-repository"})
    rest = [
        *_place(task, folder),
        *(["Somebody has begun this: look at what is there, and go on with it."] if begun else []),
        *(_progress(checkpoint) if begun else []),
        *(_left(work) if begun and work is not None else []),
        *_end(task),
    ]
    return f"{prompt} {_line(rest)}".rstrip()


def unfinished_of(task: Task) -> str:
    """The line by which an agent hears that its task is not done, though it says so."""
    return f"Your task {task.id} is not done yet: this fails in its folder: {_thing(task.done_when or '')}"


def withdrawal_of(task: Task) -> str:
    """The line by which an agent hears that another one has its task now."""
    return f"Another agent has been given your task {task.id}: do nothing more on it, and leave its folder as it is."


def _place(task: Task, folder: str) -> Iterable[str]:
    where = f"in {_thing(folder)}" if folder else ""
    on = f"on the branch {task.branch}" if task.branch else ""
    if where or on:
        yield f"It is task {task.id}, {' '.join(filter(None, (where, on)))}."


def _progress(checkpoint: Checkpoint | None) -> Iterable[str]:
    if checkpoint is None:
        return
    if checkpoint.completed_steps:
        yield f"Done so far: {'; '.join(map(_thing, checkpoint.completed_steps[-_STEPS:]))}."
    if checkpoint.next_actions:
        yield f"Next: {'; '.join(map(_thing, checkpoint.next_actions[:_STEPS]))}."


def _left(work: Work) -> Iterable[str]:
    if work.state in {"clean", "unknown"}:
        return
    first = next((_FIRST[sign] for sign in work.signs if _FIRST.get(sign)), "")
    yield f"State of the work: {'; '.join(map(_thing, work.words))}{f': {first}' if first else ''}."
    if "pushed" in work.signs:
        yield "Open a pull request when all is done."


def _end(task: Task) -> Iterable[str]:
    if task.done_when is None:
        yield 'When it is done, set "status" to "done" in the JSON file that $MIYABI_CHECKPOINT names.'


def _thing(text: str) -> str:
    told = masked(" ".join(plain(text).split())).rstrip(".")
    return told if len(told) <= _LONGEST_THING else f"{told[:_LONGEST_THING].rstrip()}..."


def _line(sentences: Iterable[str]) -> str:
    """The sentences as one line; of one that is too long those at the end stay away, the last one excepted."""
    first, *rest = [*sentences] or [""]
    last = rest.pop() if rest and rest[-1].startswith("When") else ""
    told = first
    for sentence in rest:
        if len(told) + len(sentence) + len(last) + 2 <= LONGEST:
            told += f" {sentence}"
    return f"{told} {last}".strip()[:LONGEST]
