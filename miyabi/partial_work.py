"""What an agent that failed has left of its work: from what git and its folder say to an assessment. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from typing_extensions import override

from miyabi.state import Observed

# What holds of a folder, the gravest first. unsafe: git refuses it, as it is somebody else's. stale-lock: a lock of
# git's whose process has gone; locked: one that is in use. pushed: all commits are, and there is no pull request.
Sign = Literal[
    "unknown",
    "unsafe",
    "folder-missing",
    "not-a-repository",
    "conflict",
    "in-progress",
    "locked",
    "stale-lock",
    "branch-missing",
    "wrong-branch",
    "detached",
    "tests-failing",
    "uncommitted",
    "untracked",
    "unpushed",
    "stashed",
    "pushed",
    "pr-open",
    "pr-closed",
    "merged",
    "clean",
]

# Seconds after which git's lock, which it holds for moments, is one that nobody holds any more.
STALE_LOCK = 600.0

# What somebody would miss if it were gone.
KEPT: frozenset[Sign] = frozenset(
    {"unknown", "unsafe", "conflict", "in-progress", "uncommitted", "untracked", "unpushed", "stashed"}
)

# How many names of files a human or an agent is told.
_TOLD = 5

PullState = Literal["open", "closed", "merged"]


@dataclass(frozen=True, slots=True)
class PullRequest(Observed):
    """A pull request of a branch; ``number`` 0 is that it is not told."""

    number: int
    state: PullState
    url: str = ""


@dataclass(frozen=True, slots=True)
class GitFacts(Observed):
    """What git says of one folder.

    + folder: as it was asked for
    + path: where that is on the host, without links; "" when it is not there
    + exists: whether the folder is there
    + repository: whether it is in a repository's working tree
    + refused: why git does not look into it; "" when it does
    + is_main: whether it is the repository's main working tree, and not a linked one
    + common: the repository's own folder, which all its worktrees share
    + head: the commit that is checked out; "" when there is none yet
    + branch: the one that is checked out; "" when none is
    + has_branch: whether the branch that the task names exists, here or on a remote; None when it names none
    + operation: what git is in the middle of, such as ``merge`` or ``rebase``; "" is nothing
    + lock_age: seconds since git's lock was made; None when there is none
    + staged, changed, conflicts, untracked: how many files
    + files: the names of some of them
    + has_remote: whether anything was ever fetched from or pushed to a remote
    + unpushed: commits that no remote branch has; None when that could not be told
    + is_in_default: whether the remote's main branch has all commits; None when that is not known
    + had_upstream: whether the branch was pushed once
    + stashes: that were made on this branch
    + pull: of this branch; None when there is none, or ``pull_asked`` is False
    + pull_asked: whether that is known
    + missing_work: of a folder that is gone: commits on its branch that no remote has; None when nobody knows
    """

    folder: str
    path: str = ""
    exists: bool = True
    repository: bool = True
    refused: str = ""
    is_main: bool = False
    common: str = ""
    head: str = ""
    branch: str = ""
    has_branch: bool | None = None
    operation: str = ""
    lock_age: float | None = None
    staged: int = 0
    changed: int = 0
    conflicts: int = 0
    untracked: int = 0
    files: tuple[str, ...] = ()
    has_remote: bool = False
    unpushed: int | None = 0
    is_in_default: bool | None = None
    had_upstream: bool = False
    stashes: int = 0
    pull: PullRequest | None = None
    pull_asked: bool = False
    missing_work: int | None = None


@dataclass(frozen=True, slots=True)
class Work(Observed):
    """What is left of the work on a task.

    + signs: all that holds, the gravest first; never empty
    + words: the same for a human or an agent, each in a few words
    + facts: None when nobody could look
    """

    signs: tuple[Sign, ...]
    words: tuple[str, ...] = ()
    facts: GitFacts | None = None

    @property
    def state(self) -> Sign:
        """What counts most."""
        return self.signs[0]

    @property
    def is_kept(self) -> bool:
        """Whether somebody would miss it; what is unknown might be missed."""
        lost = self.facts is not None and bool(self.facts.missing_work)
        return lost or any(sign in KEPT for sign in self.signs)

    @override
    def __str__(self) -> str:
        return ", ".join(self.words)


def unknown_work(reason: str) -> Work:
    """The assessment of what could not be looked at."""
    return Work(("unknown",), (f"what is left of the work is unknown: {reason}",))


def assess(facts: GitFacts, *, branch: str | None = None, tests: bool | None = None) -> Work:
    """What is left of the work in a folder.

    + branch: on which it should be; None is any
    + tests: whether the last tests that were recorded passed; None is that none were
    """
    found = list(_signs(facts, branch, tests=tests)) or [("clean", "nothing is left to keep: no change, no commit")]
    return Work(tuple(sign for sign, _ in found), tuple(words for _, words in found), facts)


def _signs(facts: GitFacts, branch: str | None, *, tests: bool | None) -> Iterator[tuple[Sign, str]]:
    if facts.refused:
        yield "unsafe", f"git does not look into {facts.folder}: {facts.refused}"
    elif not facts.exists:
        yield "folder-missing", f"{facts.folder} is not there{_missing(facts, branch)}"
    elif not facts.repository:
        yield "not-a-repository", f"{facts.folder} is in no git repository"
    else:
        yield from _trouble(facts, branch)
        if tests is False:
            yield "tests-failing", "the last tests that were recorded failed"
        yield from _changes(facts)
        yield from _commits(facts)


def _missing(facts: GitFacts, branch: str | None) -> str:
    if facts.missing_work is None:
        return ""
    on = f"branch {branch}" if branch else "its branch"
    return f"; {on} has {_counted(facts.missing_work, 'commit')} that no remote has" if facts.missing_work else ""


def _trouble(facts: GitFacts, branch: str | None) -> Iterator[tuple[Sign, str]]:
    """What stands in the way of going on."""
    if facts.conflicts:
        yield "conflict", f"{_counted(facts.conflicts, 'file')} in conflict{_names(facts)}"
    if facts.operation:
        yield "in-progress", f"a {facts.operation} is in progress"
    if facts.lock_age is not None:
        is_stale = facts.lock_age >= STALE_LOCK
        what = "was left behind by a git that is gone" if is_stale else "is held: a git is at work"
        yield "stale-lock" if is_stale else "locked", f"index.lock {what} ({facts.lock_age:.0f} s old)"
    if branch is not None and facts.has_branch is False and facts.branch != branch:
        yield "branch-missing", f"there is no branch {branch}"
    elif branch is not None and facts.branch and facts.branch != branch:
        yield "wrong-branch", f"branch {facts.branch} is checked out, not {branch}"
    if not facts.branch and facts.head and "rebase" not in facts.operation:
        yield "detached", f"no branch is checked out (detached at {facts.head[:10]})"


def _changes(facts: GitFacts) -> Iterator[tuple[Sign, str]]:
    changed = facts.staged + facts.changed
    if changed:
        yield "uncommitted", f"{_counted(changed, 'file')} not committed{_names(facts)}"
    if facts.untracked:
        named = "" if changed or facts.conflicts else _names(facts)
        yield "untracked", f"{_counted(facts.untracked, 'file')} that git does not know{named}"
    if facts.stashes:
        yield "stashed", f"{_counted(facts.stashes, 'stash', 'stashes')} of this branch"


def _commits(facts: GitFacts) -> Iterator[tuple[Sign, str]]:
    if facts.unpushed is None:
        yield "unknown", "whether its commits are on a remote is unknown"
        return
    if facts.unpushed and not facts.has_remote:
        yield "unpushed", "its commits are on no remote: there is none"
    elif facts.unpushed:
        yield "unpushed", f"{_counted(facts.unpushed, 'commit')} not pushed"
    pull = facts.pull
    if pull is not None:
        named = f"pull request {pull.url or (f'#{pull.number}' if pull.number else '')}".rstrip()
        sign: dict[str, Sign] = {"open": "pr-open", "closed": "pr-closed", "merged": "merged"}
        yield sign[pull.state], f"{named} is {pull.state}"
    elif not facts.unpushed and facts.head and facts.branch and facts.had_upstream:
        if facts.is_in_default:
            yield "merged", "the remote's main branch has all its commits"
        else:
            yield "pushed", "all commits are pushed" + (", and there is no pull request" if facts.pull_asked else "")


def _names(facts: GitFacts) -> str:
    if not facts.files:
        return ""
    more = (
        ", ..." if facts.staged + facts.changed + facts.conflicts + facts.untracked > len(facts.files[:_TOLD]) else ""
    )
    return f" ({', '.join(facts.files[:_TOLD])}{more})"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
