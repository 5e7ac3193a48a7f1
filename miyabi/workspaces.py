"""Git worktrees in which nobody works any more: which they are, and whether one may be removed. Pure."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from miyabi.errors import ParseError
from miyabi.git_facts import read_work
from miyabi.host_paths import from_hex
from miyabi.partial_work import GitFacts
from miyabi.spec import Spec
from miyabi.state import Observed

# What programs make and make again: nobody misses it, though git does not know it.
GENERATED = frozenset(
    {
        "node_modules",
        "__pycache__",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        ".eggs",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".gradle",
        ".next",
        ".nuxt",
        ".turbo",
        ".parcel-cache",
        "target",
        "dist",
        "build",
        "coverage",
        ".coverage",
        ".DS_Store",
    }
)
_GENERATED_ENDINGS = (".pyc", ".pyo", ".o", ".class", ".egg-info", ".tsbuildinfo")


@dataclass(frozen=True, slots=True)
class Worktree(Observed):
    """A linked worktree, as its repository lists it.

    + repository: where that was asked
    + locked: why git must not remove it; None when it may
    """

    path: str
    repository: str
    head: str = ""
    branch: str = ""
    locked: str | None = None


@dataclass(frozen=True, slots=True)
class Listed(Observed):
    """The worktrees of a host's repositories, and where its agents work.

    + own: the folders of the spec, as they are called on the host
    + unreadable: repositories that git does not look into
    """

    worktrees: tuple[Worktree, ...] = ()
    own: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Orphan(Observed):
    """What is known of a worktree in which nobody works any more.

    + inside: processes that work in it; None when that could not be told
    + is_young: whether something in it was changed lately; None as above
    + ignored: what git is told to ignore, and is there
    """

    facts: GitFacts
    inside: tuple[int, ...] | None = None
    is_young: bool | None = None
    ignored: tuple[str, ...] = ()


def own_folders(wanted: Spec, given: Iterable[str] = ()) -> tuple[str, ...]:
    """The folders in which a spec's panes and tasks are, as it writes them.

    + given: folders that the register names
    """
    panes = [pane for session in wanted.sessions for window in session.windows for pane in window.panes]
    found = [task.worktree for task in wanted.tasks]
    found += [session.start_directory for session in wanted.sessions]
    found += [pane.start_directory for pane in panes] + [pane.agent.worktree for pane in panes if pane.agent]
    return tuple(dict.fromkeys(each for each in (*found, *given) if each))


def read_listed(lines: Iterable[str]) -> Listed:
    """The answer of ``miyabi.worktree_script.list_script``. Raises ``ParseError`` when it is cut off."""
    own, unreadable, ended = [], [], False
    worktrees: dict[str, Worktree] = {}
    body: list[str] | None = None
    repository = ""
    for line in lines:
        word, _, rest = line.partition(" ")
        if body is not None:
            if line != "end":
                body.append(line)
                continue
            worktrees |= {each.path: each for each in _entries(_bytes(body), repository)}
            body = None
        elif word == "own":
            own.append(from_hex(rest))
        elif word == "unreadable":
            unreadable.append(from_hex(rest))
        elif word == "repository":
            repository, body = from_hex(rest), []
        elif line == "all":
            ended = True
        else:
            raise ParseError(f"listing worktrees printed {line[:80]!r}")
    if not ended:
        raise ParseError("the list of worktrees is cut off")
    return Listed(tuple(worktrees.values()), tuple(own), tuple(unreadable))


def _bytes(body: list[str]) -> bytes:
    try:
        return b64decode("".join(body), validate=True)
    except binascii.Error as error:
        raise ParseError(f"the list of worktrees is cut off: {error}") from error


def _entries(content: bytes, repository: str) -> Iterator[Worktree]:
    """The linked ones; the first is the main one, and one that is gone is none."""
    mark = "\0" if b"\0" in content else "\n"
    entries = content.decode("utf-8", "surrogateescape").split(mark * 2)
    for entry in entries[1:]:
        told = dict(line.partition(" ")[::2] for line in entry.split(mark) if line)
        if "worktree" in told and "prunable" not in told:
            branch = told.get("branch", "").removeprefix("refs/heads/")
            yield Worktree(told["worktree"], repository, told.get("HEAD", ""), branch, told.get("locked"))


def orphans_in(listed: Listed, working: Collection[str] = ()) -> tuple[Worktree, ...]:
    """The worktrees in which no agent, no pane and no task of the spec is.

    + working: folders in which panes are right now
    """
    used = (*listed.own, *working)
    return tuple(
        each
        for each in listed.worktrees
        if not any(folder == each.path or folder.startswith(f"{each.path}/") for folder in used)
    )


def read_orphan(lines: Iterable[str], folder: str) -> Orphan:
    """The answer of ``miyabi.worktree_script.orphan_script``. Raises ``ParseError`` when it is cut off."""
    rest: list[str] = []
    inside: list[int] | None = []
    ages: set[str] = set()
    ignored: tuple[str, ...] | None = None
    body: list[str] | None = None
    for line in lines:
        word, _, value = line.partition(" ")
        if body is not None:
            if line == "end":
                ignored, body = _ignored(_bytes(body)), None
            else:
                body.append(line)
        elif line == "ignored":
            body = []
        elif word == "inside":
            inside = None if value == "unknown" or inside is None else [*inside, int(value)]
        elif word == "young":
            ages.add(value)
        else:
            rest.append(line)
    if ignored is None:
        raise ParseError("what is in the worktree is cut off")
    # In it, and in what git keeps of it.
    is_young = True if "yes" in ages else False if ages == {"no"} else None
    return Orphan(read_work(rest, folder), None if inside is None else tuple(inside), is_young, ignored)


def _ignored(content: bytes) -> tuple[str, ...]:
    *entries, last = content.split(b"\0")
    if last != b"exit 0":
        raise ParseError("what is ignored in the worktree is unknown")
    names = (entry.decode("utf-8", "surrogateescape") for entry in entries)
    return tuple(name[2:] for name in names if name.startswith("! "))


def why_kept(worktree: Worktree, orphan: Orphan) -> str:
    """Why a worktree in which nobody works must not be removed, in words; "" when it may be."""
    facts, precious = orphan.facts, _precious(orphan.ignored)
    checks = (
        (facts.refused or not facts.repository or not facts.exists, "git does not look into it"),
        (facts.is_main or facts.path != worktree.path, "it is no linked worktree"),
        (worktree.locked is not None, f"it is locked{f' ({worktree.locked})' if worktree.locked else ''}"),
        (facts.head != worktree.head, "it has just changed"),
        (bool(facts.operation), f"a {facts.operation} is in progress"),
        (facts.lock_age is not None, "a git is at work in it, or left its lock"),
        (bool(facts.conflicts + facts.staged + facts.changed), "it has changes that are not committed"),
        (bool(facts.untracked), "it has files that git does not know"),
        (not facts.has_remote, "its repository has no remote"),
        (facts.unpushed is None, "whether its commits are on a remote is unknown"),
        (bool(facts.unpushed), "it has commits that no remote has"),
        (bool(facts.stashes), "a stash belongs to it"),
        (orphan.inside is None, "whether somebody works in it is unknown"),
        (bool(orphan.inside), f"a process works in it ({', '.join(map(str, (orphan.inside or ())[:3]))})"),
        (orphan.is_young is None, "when it was changed is unknown"),
        (bool(orphan.is_young), "it was changed lately"),
        (
            bool(precious),
            f"it has files that git ignores ({', '.join(precious[:3])})",
        ),
    )
    return next((words for holds, words in checks if holds), "")


def _precious(ignored: Iterable[str]) -> list[str]:
    """What is ignored and may be missed: an .env, a database, notes."""
    return [name for name in ignored if not _is_generated(name)]


def _is_generated(name: str) -> bool:
    steps = name.rstrip("/").split("/")
    return any(step in GENERATED for step in steps) or steps[-1].endswith(_GENERATED_ENDINGS)
