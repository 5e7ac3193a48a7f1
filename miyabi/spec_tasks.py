"""What a spec says of the work of its agents; a part of miyabi.spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Task:
    """A task for one of the host's agents.

    + id: its name, once in the spec
    + prompt: what the agent is told
    + agent: the name of the pane whose agent does it; "" is any of the ``role``
    + role: of the agents of which one does it; "" when ``agent`` says who
    + worktree: the folder in which it is done; None is the agent's own, else its pane's start directory
    + branch: the git branch on which it is done; None is whichever is checked out there
    + needs: the tasks that must be done before it begins
    + parallel: whether other tasks may be worked on in the same folder at the same time
    + done_when: succeeds in its folder when it is done; None leaves it to the agent to say so
    """

    id: str
    prompt: str
    agent: str = ""
    role: str = ""
    worktree: str | None = None
    branch: str | None = None
    needs: tuple[str, ...] = ()
    parallel: bool = False
    done_when: str | None = None


@dataclass(frozen=True, slots=True)
class Workspaces:
    """The folders that agents work in, besides those of the tasks.

    + repositories: whose worktrees are looked through for those that nobody works in any more
    + orphans: what to do with them
    + older_than: seconds for which nothing has changed in one that is removed
    """

    repositories: tuple[str, ...] = ()
    orphans: Literal["report", "remove"] = "report"
    older_than: float = 86400.0
