"""Git worktrees on a host in which nobody works any more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from facts.probe import Section, keyed_section
from miyabi.workspaces import Listed, Orphan, read_listed, read_orphan
from miyabi.worktree_script import list_script, orphan_script

WORKTREES = "worktrees"
ORPHAN = "orphan"


def worktrees_section(own: Sequence[str], repositories: Sequence[str]) -> Section[Listed]:
    """The section that lists the worktrees of some repositories.

    + own: folders in which agents work; may begin with ``~`` or ``$NAME``, as those of the repositories
    """
    return keyed_section(WORKTREES, list_script(own, repositories), read_listed)


def orphan_section(path: str, older_than: float) -> Section[Orphan]:
    """The section that tells all that decides whether a worktree may be removed.

    + path: absolute, as git lists it
    + older_than: seconds for which nothing must have changed in it
    """
    return keyed_section(ORPHAN, orphan_script(path, older_than), partial(read_orphan, folder=path))
