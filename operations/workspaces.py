"""Worktrees in which nobody works any more: told, and removed where the spec says so and nothing is lost by it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Literal

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, StringCommand

from facts.observation import Unknown, ask, ask_together, forget
from facts.workspaces import ORPHAN, WORKTREES, orphan_section, worktrees_section
from miyabi.host_lock import PATIENCE
from miyabi.masking import shown
from miyabi.units import parse_duration
from miyabi.workspaces import Worktree, orphans_in, why_kept
from miyabi.worktree_script import REMOVAL_TIMEOUT, removal_script
from operations.gate import operation, permission
from operations.refusal import refusal
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# What findings about them are called.
SUBJECT = "workspaces"


@operation()
def tidied(
    repositories: Sequence[str],
    own: Sequence[str] = (),
    orphans: Literal["report", "remove"] = "report",
    older_than: float | str = "1d",
) -> Generator[PyinfraCommand]:
    """Ensure that no git worktree is left behind in which nobody works any more.

    + repositories: whose worktrees are looked at; may begin with ``~`` or ``$NAME`` of the host
    + own: folders in which somebody works; a worktree with one of them in it is none that is left behind
    + orphans: ``remove`` removes those that are clean, pushed, old and in which no process is, ``report`` tells of them
    + older_than: seconds, or text such as ``1d``, for which nothing must have changed in one that is removed

    A worktree is removed by git itself, which refuses one that has changes; never the main one, and no branch.

    **Example:**

    .. code:: python

        from operations import workspaces

        workspaces.tidied(name="Workspaces", repositories=["~/repos/miyabi"], own=["~/trees/login"], orphans="remove")
    """
    section = worktrees_section(own, repositories)
    listed = ask(host, section)
    if isinstance(listed, Unknown):
        note(host, SUBJECT, "warning", f"which worktrees there are is unknown: {listed.reason}")
        yield refusal(f"{SUBJECT}: which worktrees there are is unknown: {listed.reason}")
        return
    for repository in listed.unreadable:
        _warn(f"{shown(repository)} is no repository that git looks into")
    found = orphans_in(listed)
    if not found:
        host.noop("somebody works in each worktree")
        return
    asked = {each.path: orphan_section(each.path, parse_duration(older_than)) for each in found}
    ask_together(host, asked.values())
    removable = []
    told = []
    for each in found:
        orphan = ask(host, asked[each.path])
        why = f"unknown: {orphan.reason}" if isinstance(orphan, Unknown) else why_kept(each, orphan)
        if why or orphans == "report":
            told.append(f"{shown(each.path)} ({why or 'clean and pushed: it could be removed'})")
        else:
            removable.append(each)
    if told:
        _warn(f"nobody works in {', '.join(told)}")
    yield from _removed(removable, own, repositories)


def _warn(words: str) -> None:
    note(host, SUBJECT, "warning", words)
    host.log_styled(f"{SUBJECT}: {words}", fg="yellow", log_func=logger.warning)


def _removed(
    removable: Sequence[Worktree], own: Sequence[str], repositories: Sequence[str]
) -> Generator[PyinfraCommand]:
    """The commands that remove worktrees."""
    if not removable:
        host.noop("nothing is done about the worktrees")
        return
    names = ", ".join(shown(each.path) for each in removable)
    if not (yield from permission(host, SUBJECT, "tidy", f"nobody works in {names}", verdict="warning")):
        return
    for each in removable:
        host.log(f"{SUBJECT}: removing the worktree {shown(each.path)}")
        script = f"( {removal_script(each)}\n) || echo 'it was not removed' >&2"
        yield StringCommand(script, _timeout=REMOVAL_TIMEOUT + PATIENCE + 5)
    yield FunctionCommand(_verify, (tuple(removable), tuple(own), tuple(repositories)), {})


def _verify(
    state: State, host: Host, removed: Sequence[Worktree], own: Sequence[str], repositories: Sequence[str]
) -> bool:
    """Look whether they are gone; one that is not is told, as nothing stands or falls with it."""
    del state
    forget(host, WORKTREES, ORPHAN)
    listed = ask(host, worktrees_section(own, repositories))
    if isinstance(listed, Unknown):
        note(host, SUBJECT, "warning", f"whether they were removed is unknown: {listed.reason}")
        return True
    left = {each.path for each in listed.worktrees} & {each.path for each in removed}
    gone = ", ".join(shown(each.path) for each in removed if each.path not in left)
    if left:
        note(host, SUBJECT, "warning", f"git did not remove {', '.join(map(shown, sorted(left)))}")
    else:
        note(host, SUBJECT, "tidied", f"removed {gone}")
    return True
