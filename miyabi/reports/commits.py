"""Who has committed how much, from what git lists. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from miyabi.reports.report import Commits

# What git is asked to print of each commit: fields end with NUL, co-authors are parted by a unit separator.
FORMAT = "%H%x00%ct%x00%aN%x00%aE%x00%(trailers:key=Co-authored-by,valueonly,separator=%x1f)%x00"
_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit.

    + at: when it was committed here
    + agents: name and address of its author, and of those who took part
    """

    commit_id: str
    at: float
    agents: tuple[tuple[str, str], ...]


def commits_of(listed: str) -> tuple[Commit, ...]:
    """The commits that git has listed in ``FORMAT``; what makes no sense is left out."""
    words = listed.split("\0")
    rows = (words[start : start + _FIELDS] for start in range(0, len(words) - _FIELDS + 1, _FIELDS))
    return tuple(found for row in rows if (found := _commit(*row)) is not None)


def _commit(commit_id: str, at: str, name: str, address: str, others: str) -> Commit | None:
    try:
        moment = float(at)
    except ValueError:
        return None
    agents = {(address or name).casefold(): (name, address)}
    for other in others.split("\x1f"):
        called, bracket, rest = other.strip().partition("<")
        if other.strip():
            mail = rest.rpartition(">")[0].strip() if bracket else ""
            agents.setdefault((mail or called).strip().casefold(), (called.strip(), mail))
    return Commit(commit_id.strip(), moment, tuple(agents.values()))


def count_commits(listed: Mapping[str, Iterable[Commit]], since: float, until: float) -> Commits:
    """How many there are in each repository, and of each agent.

    + listed: by the repository's name; a commit that several have counts for the first
    + since, until: when they were committed

    An agent is known by its address, and called as in its newest commit.
    """
    by_repository: dict[str, int] = {}
    by_key: dict[str, Counter[str]] = {}
    called: dict[str, tuple[float, str]] = {}
    seen: set[str] = set()
    for repository, commits in listed.items():
        by_repository[repository] = 0
        for each in commits:
            if not since <= each.at < until or each.commit_id in seen:
                continue
            seen.add(each.commit_id)
            by_repository[repository] += 1
            for name, address in each.agents:
                key = (address or name).casefold()
                by_key.setdefault(key, Counter())[repository] += 1
                called[key] = max(called.get(key, (each.at, "")), (each.at, _named(name, address)))
    ordered = sorted(by_key.items(), key=lambda item: (-item[1].total(), called[item[0]][1]))
    return Commits(by_repository, {called[key][1]: dict(counts) for key, counts in ordered}, len(seen))


def _named(name: str, address: str) -> str:
    return f"{name} <{address}>" if name and address else name or address
