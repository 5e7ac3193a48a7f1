"""What a user may write in a spec about tasks: what the agents work on, where, and in which order."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from miyabi.spec_tasks import Workspaces
from miyabi.spec_values import Duration, FilledCommand, FilledText, Model, PaneName, Text, refused

# A prompt is typed by one call of tmux, whose messages hold 16 kilobytes.
LONGEST_PROMPT = 6000

_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
# What git allows in the name of a branch, without what only surprises.
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|/\.|\.$|/$))[A-Za-z0-9_][\w./@+#=,%-]{0,199}")
_DEFAULT = Workspaces()


def task_id(value: str) -> str:
    """Check the name of a task: it is part of file names and of what is told to agents."""
    if not _TASK_ID.fullmatch(value):
        raise refused("letters, digits, . _ and -, at most 64, beginning with a letter or a digit")
    return value


def _branch(value: str) -> str:
    if not _BRANCH.fullmatch(value):
        raise refused("the name of a git branch, such as feature/login")
    return value


def _prompt(value: str) -> str:
    size = len(value.encode(errors="replace"))
    if size > LONGEST_PROMPT:
        allowed = f"at most {LONGEST_PROMPT} bytes: put the rest into a file, and name that in the prompt"
        raise refused(allowed, f"{size} bytes")
    return value


TaskId = Annotated[Text, AfterValidator(task_id)]


class TaskModel(Model):
    """A task for one of the host's agents."""

    id: TaskId
    """Its name, once in the spec."""
    prompt: Annotated[FilledCommand, AfterValidator(_prompt)]
    """What the agent is told."""
    agent: PaneName | None = None
    """The name of the pane whose agent does it."""
    role: FilledText | None = None
    """The role of the agents of which one does it, whichever is free."""
    worktree: FilledText | None = None
    """The folder in which it is done. Without one the agent's own ``worktree``, else where its pane starts."""
    branch: Annotated[Text, AfterValidator(_branch)] | None = None
    """The git branch on which it is done."""
    needs: list[TaskId] = []
    """The tasks that must be done before it begins."""
    parallel: bool = False
    """Whether other tasks may be worked on in the same folder at the same time."""
    done_when: FilledCommand | None = None
    """A command, run in its folder, that succeeds when it is done. Without one the agent says so."""


class WorkspacesModel(Model):
    """The folders that agents work in, besides those of the tasks."""

    repositories: list[FilledText] = []
    """Git repositories whose worktrees are looked through for those that nobody works in any more."""
    orphans: Literal["report", "remove"] = _DEFAULT.orphans
    """What to do with them: tell of them, or remove what is clean and pushed."""
    older_than: Annotated[Duration, Field(ge=3600)] = _DEFAULT.older_than
    """How long nothing must have changed in one before it is removed, at least an hour."""
