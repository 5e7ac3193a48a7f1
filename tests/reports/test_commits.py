"""Commits of real repositories: branches, worktrees, authors, and folders that are none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from miyabi.reports.commits import commits_of, count_commits
from miyabi.reports.git_log import read_commits
from tests.fleet.programs import required

SINCE, UNTIL = 1_789_000_000.0, 1_790_000_000.0
KAEDE = ("Kaede", "kaede@example.org")
MOMIJI = ("Momiji", "momiji@example.org")


def git(folder: Path, *words: str, by: tuple[str, str] = KAEDE, at: float = UNTIL - 100) -> str:
    stamp = f"{int(at)} +0900"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": stamp,
        "GIT_COMMITTER_DATE": stamp,
        "GIT_AUTHOR_NAME": by[0],
        "GIT_AUTHOR_EMAIL": by[1],
        "GIT_COMMITTER_NAME": "somebody",
        "GIT_COMMITTER_EMAIL": "somebody@example.org",
    }
    done = subprocess.run(
        [required("git"), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(folder: Path, message: str = "work", by: tuple[str, str] = KAEDE, at: float = UNTIL - 100) -> None:
    git(folder, "commit", "-q", "--allow-empty", "-m", message, by=by, at=at)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two authors, three branches, a worktree with a branch and one with none, a stash."""
    main = tmp_path / "project"
    main.mkdir()
    git(main, "init", "-q", "-b", "main")
    commit(main, "too early", at=SINCE - 1)
    commit(main, "at the very beginning", at=SINCE)
    commit(main, "by another", by=MOMIJI)
    commit(
        main, f"together\n\nCo-authored-by: {MOMIJI[0]} <MOMIJI@example.org>\nCo-authored-by: Claude <noreply@x.org>"
    )
    git(main, "branch", "kept")
    git(main, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    commit(tmp_path / "other", "in a worktree", by=("momiji s", MOMIJI[1]), at=UNTIL - 50)
    git(main, "worktree", "add", "-q", "--detach", str(tmp_path / "detached"))
    commit(tmp_path / "detached", "on no branch")
    (main / "file").write_text("half done")
    git(main, "add", "file")
    git(main, "stash", "-q")
    commit(main, "too late", at=UNTIL)
    return main


def test_each_commit_counts_once_for_each_of_its_authors(repository: Path, tmp_path: Path) -> None:
    listed, missing = read_commits([str(repository), str(tmp_path / "other"), str(tmp_path / "detached")], SINCE)
    assert missing == ()
    counted = count_commits(listed, SINCE, UNTIL)
    assert counted.by_repository == {"project": 5}
    assert counted.total == 5
    assert counted.by_agent == {
        "Kaede <kaede@example.org>": {"project": 3},
        "momiji s <momiji@example.org>": {"project": 3},
        "Claude <noreply@x.org>": {"project": 1},
    }
    # Reckoned by git itself: all but the two commits of the stash.
    stamps = git(repository, "log", "--exclude=refs/stash", "--all", "--format=%ct").split()
    assert counted.total == sum(SINCE <= float(stamp) < UNTIL for stamp in stamps)


def test_a_clone_counts_what_is_its_own(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repository), "clone")
    commit(tmp_path / "clone", "its own", by=MOMIJI)
    listed, _ = read_commits([str(repository), str(tmp_path / "clone")], SINCE)
    counted = count_commits(listed, SINCE, UNTIL)
    assert counted.by_repository == {"project": 5, "clone": 1}
    assert counted.total == 6
    assert counted.by_agent["momiji s <momiji@example.org>"] == {"project": 3, "clone": 1}


def test_folders_that_are_no_repository_are_named(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q")
    folders = [str(tmp_path / name) for name in ("empty", "gone", "file", "new")]
    listed, missing = read_commits([*folders, "~nobody-at-all/x", str(repository)], SINCE)
    assert set(listed) == {"new", "project"}
    assert listed["new"] == ()
    assert {each.source: each.why.partition(" (")[0] for each in missing} == {
        f"commits of {folders[0]}": "not a git repository",
        f"commits of {folders[1]}": "there is no such folder",
        f"commits of {folders[2]}": "Not a directory",
        "commits of ~nobody-at-all/x": "Could not determine home directory.",
    }


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    listed, missing = read_commits([str(repository)], SINCE)
    assert (listed, [each.why for each in missing]) == ({}, ["git is not installed"])


def test_a_git_that_hangs_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    listed, missing = read_commits([str(repository)], SINCE, timeout=0.3)
    assert (listed, [each.why for each in missing]) == ({}, ["git gave no answer within 0.3 s"])


def test_what_a_hook_has_set_leads_nowhere_else(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    git(tmp_path / "elsewhere", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere" / ".git"))
    listed, _ = read_commits([str(repository)], SINCE)
    assert len(listed["project"]) == 6


@pytest.mark.parametrize("listed", ["", "\0", "a\0b\0c", "id\0no number\0name\0mail\0\0", "\ud800\0\0\0\0\0"])
def test_a_list_that_makes_no_sense(listed: str) -> None:
    assert commits_of(listed) == ()


def test_names_without_addresses() -> None:
    told = f"1\0{UNTIL - 1}\0A\0\0B\x1f<b@x>\x1f  \x1fC <unfinished\0\n2\0{UNTIL - 1}\0a\0\0\0"
    counted = count_commits({"x": commits_of(told)}, SINCE, UNTIL)
    assert counted.total == 2
    assert {name: sum(counts.values()) for name, counts in counted.by_agent.items()} == {
        "a": 2,
        "B": 1,
        "b@x": 1,
        "C": 1,
    }
