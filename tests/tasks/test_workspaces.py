"""Worktrees in which nobody works any more: found by real git, and removed only when nothing is lost by it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facts.workspaces import orphan_section, worktrees_section
from miyabi.workspaces import own_folders, why_kept
from miyabi.worktree_script import removal_script
from operations import workspaces
from tests.facts.hosts import INSTALLED_SHELLS
from tests.fleet.programs import required
from tests.recovery.operating import Operated, operate
from tests.spec.reading import spec
from tests.tasks.ground import Ground, answer

DAY = 86400
PUSHED = "echo b >b.txt && git add b.txt && git commit -q -m second && git push -q origin HEAD:refs/heads/kept"


def age(ground: Ground, path: Path, days: float = 2) -> None:
    """Make a worktree, and what git keeps of it, look as if nothing was changed for days."""
    moment = time.time() - days * DAY
    own = Path(ground.sh(f"git -C '{path}' rev-parse --absolute-git-dir").strip())
    for folder in (path, own):
        for each in [*folder.rglob("*"), folder]:
            os.utime(each, (moment, moment), follow_symlinks=False)


def tidy(ground: Ground, orphans: str = "remove", own: tuple[str, ...] = ("~/main",)) -> Operated:
    return operate(ground.machine, workspaces.tidied, repositories=["~/main"], own=list(own), orphans=orphans)


def made(ground: Ground, script: str = ":", name: str = "side") -> Path:
    path = ground.worktree(name, branch=f"on-{name}")
    ground.sh(f"cd '{name}' && {{ {script}; }} >/dev/null 2>&1")
    age(ground, path)
    return path


def why(ground: Ground, path: Path) -> str:
    listed = answer(ground.machine, worktrees_section([], ["~/main"]))
    [found] = [each for each in listed.worktrees if each.path == str(path)]
    return why_kept(found, answer(ground.machine, orphan_section(found.path, DAY)))


def test_what_is_clean_and_pushed_goes_and_the_next_run_changes_nothing(ground: Ground) -> None:
    path = made(ground, f"{PUSHED} && mkdir node_modules && echo x >node_modules/ignored.js")
    run = tidy(ground)
    assert not run.failed, run.said
    assert not path.exists()
    assert "side" not in ground.sh("git -C main worktree list")
    # The branch stays: only the folder is gone.
    assert "on-side" in ground.sh("git -C main branch")
    assert tidy(ground).commands == []


def test_by_default_they_are_only_told(ground: Ground) -> None:
    path = made(ground, PUSHED)
    run = tidy(ground, "report")
    assert run.commands == []
    assert path.exists()
    assert any(f"nobody works in {path} (clean and pushed: it could be removed)" in line for line in run.said)


KEPT: dict[str, tuple[str, str]] = {
    "changed": ("echo x >>a.txt", "it has changes that are not committed"),
    "staged": ("echo x >>a.txt; git add a.txt", "it has changes that are not committed"),
    "untracked": ("echo x >new.txt", "it has files that git does not know"),
    "unpushed": ("git commit -q --allow-empty -m x", "it has commits that no remote has"),
    "detached": ("git checkout -q --detach; git commit -q --allow-empty -m x", "it has commits that no remote has"),
    "stashed": ("echo x >>a.txt; git stash -q", "a stash belongs to it"),
    "merging": (
        "touch $(git rev-parse --git-dir)/MERGE_HEAD",
        "a merge is in progress",
    ),
    "locked": ("git worktree lock --reason 'on a disk' .", "it is locked (on a disk)"),
    "git's lock": ("touch $(git rev-parse --git-dir)/index.lock", "a git is at work in it, or left its lock"),
    "secrets": ("echo key >ignored.env", "it has files that git ignores (ignored.env)"),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_might_be_missed_stays(ground: Ground, name: str) -> None:
    script, reason = KEPT[name]
    path = made(ground, script)
    assert why(ground, path) == reason
    run = tidy(ground)
    assert run.commands == []
    assert path.exists()
    assert any(reason in line for line in run.said)


def test_what_is_young_stays(ground: Ground) -> None:
    path = made(ground, PUSHED)
    (path / "b.txt").touch()
    assert why(ground, path) == "it was changed lately"
    age(ground, path)
    assert not why(ground, path)
    # What git keeps of it counts, too.
    own = Path(ground.sh("git -C side rev-parse --absolute-git-dir").strip())
    (own / "HEAD").touch()
    assert why(ground, path) == "it was changed lately"


def test_where_a_process_works_stays(ground: Ground) -> None:
    path = made(ground, f"{PUSHED}; mkdir build; echo x >build/ignored")
    with subprocess.Popen([required("sleep"), "60"], cwd=path / "build") as process:
        try:
            assert why(ground, path) == f"a process works in it ({process.pid})"
            assert tidy(ground).commands == []
        finally:
            process.kill()
    assert path.exists()


def test_where_somebody_of_the_spec_works_is_no_orphan(ground: Ground) -> None:
    made(ground, f"{PUSHED}; mkdir build; echo x >build/ignored")
    for own in ("~/side", "~/side/build", "$HOME/side"):
        run = tidy(ground, own=(own, "~/nowhere"))
        assert run.commands == []
        assert not any("nobody works" in line for line in run.said)


def test_the_main_worktree_is_never_one(ground: Ground) -> None:
    age(ground, ground.home / "main")
    assert tidy(ground, own=()).commands == []
    assert answer(ground.machine, worktrees_section([], ["~/main"])).worktrees == ()


def test_a_repository_without_a_remote_loses_nothing(ground: Ground) -> None:
    ground.sh(
        "git init -q own && cd own && git commit -q --allow-empty -m 1 && git worktree add -q ../side 2>/dev/null"
    )
    age(ground, ground.home / "side")
    listed = answer(ground.machine, worktrees_section([], ["~/own"]))
    orphan = answer(ground.machine, orphan_section(str(ground.home / "side"), DAY))
    assert why_kept(listed.worktrees[0], orphan) == "its repository has no remote"


def test_a_repository_that_is_not_there_is_told(ground: Ground) -> None:
    run = operate(ground.machine, workspaces.tidied, repositories=["~/nowhere", "~/main"], own=["~/main"])
    assert any("nowhere is no repository that git looks into" in line for line in run.said)
    assert not run.failed


def test_a_bare_repository_with_worktrees(ground: Ground) -> None:
    ground.sh("git -C remote.git worktree add -q ../side main")
    listed = answer(ground.machine, worktrees_section([], ["~/remote.git"]))
    assert [each.path for each in listed.worktrees] == [str(ground.home / "side")]


def _between(ground: Ground, change: Callable[[], object]) -> str:
    """What the removal of a worktree says that changed after it was looked at."""
    path = made(ground, PUSHED)
    [found] = answer(ground.machine, worktrees_section([], ["~/main"])).worktrees
    assert not why(ground, path)
    change()
    ran = ground.machine.sh(removal_script(found))
    assert ran.code != 0
    assert path.exists()
    return ran.stderr


def test_what_changed_after_the_look_stays(ground: Ground) -> None:
    said = _between(ground, lambda: ground.sh("cd side && git commit -q --allow-empty -m late"))
    assert "it has just changed: it is left alone" in said


def test_what_was_edited_after_the_look_stays(ground: Ground) -> None:
    said = _between(ground, lambda: ground.sh("echo x >>side/a.txt"))
    assert "contains modified or untracked files" in said


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_lists_the_same(ground: Ground, shell: str) -> None:
    name = "a \u00fc'q\"\n$(touch made)"
    path = ground.worktree(name)
    age_script = worktrees_section(["~/main", "~/nowhere"], ["~/main", "~/none"])
    listed = answer(ground.machine, age_script, shell)
    assert [each.path for each in listed.worktrees] == [str(path)]
    assert listed.own == (str(ground.home / "main"),)
    assert listed.unreadable == (str(ground.home / "none"),)
    orphan = answer(ground.machine, orphan_section(str(path), DAY), shell)
    assert (orphan.is_young, orphan.inside, orphan.ignored) == (True, (), ())
    assert not (ground.home / "made").exists()


def test_hooks_and_filters_of_a_repository_do_not_run_when_one_goes(ground: Ground) -> None:
    path = made(ground, PUSHED)
    ground.sh(
        "cd main && git config core.fsmonitor 'touch ~/made' && git config filter.x.clean 'touch ~/made; cat' && "
        "echo '* filter=x' >.git/info/attributes && "
        "printf '#!/bin/sh\\ntouch ~/made\\n' >.git/hooks/post-checkout && chmod +x .git/hooks/post-checkout"
    )
    assert not tidy(ground).failed
    assert not path.exists()
    assert not (ground.home / "made").exists()


def test_the_folders_of_a_spec() -> None:
    wanted = spec(
        """
        session_name: s
        start_directory: /s
        windows: [{panes: [{name: k, shell_command: claude, start_directory: /p, agent: {worktree: ~/w}}]}, {}]
        tasks: [{id: a, prompt: do, agent: k, worktree: ~/t}]
        """
    )
    assert own_folders(wanted, ["~/given"]) == ("~/t", "/s", "/p", "~/w", "~/given")
