"""Eight checks of a workspace's health, each made of what was found in its sessions and its files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from miyabi.limits import size
from miyabi.orchestration.analysis import SessionReport
from miyabi.orchestration.findings import Issue
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.state import Disk, Memory, Observed
from miyabi.words import counted

CheckStatus = Literal["pass", "warn", "fail", "unknown"]
CheckName = Literal[
    "state consistency",
    "session validity",
    "agent responsiveness",
    "resource availability",
    "persistence integrity",
    "communication flow",
    "dependency resolution",
    "event processing",
]

# Which check an issue of a session speaks to.
CHECK_OF: Mapping[str, CheckName] = {
    "STATE_VALIDATION_FAILED": "state consistency",
    "STATE_CONSISTENCY_FAILED": "state consistency",
    "STATE_CIRCULAR_REFERENCE": "state consistency",
    "STATE_CONFLICT": "state consistency",
    "SESSION_CORRUPTED": "session validity",
    "SESSION_TIMEOUT": "session validity",
    "SESSION_ZOMBIE": "session validity",
    "SESSION_LOCKED": "session validity",
    "AGENT_CRASHED": "agent responsiveness",
    "AGENT_TIMEOUT": "agent responsiveness",
    "AGENT_COMMUNICATION_LOST": "agent responsiveness",
    "AGENT_SPAWN_FAILED": "agent responsiveness",
    "AGENT_CAPACITY_EXCEEDED": "resource availability",
    "STATE_SIZE_EXCEEDED": "resource availability",
    "STATE_SIZE_LIMIT_EXCEEDED": "resource availability",
    "CACHE_OVERFLOW": "resource availability",
    "RESOURCE_EXHAUSTION": "resource availability",
    "MEMORY_EXHAUSTION": "resource availability",
    "PERSISTENCE_FAILED": "persistence integrity",
    "WORKSPACE_ACCESS_DENIED": "persistence integrity",
    "MESSAGE_QUEUE_OVERFLOW": "communication flow",
    "MESSAGE_DELIVERY_FAILED": "communication flow",
    "MESSAGE_CORRUPTION": "communication flow",
    "CHANNEL_UNAVAILABLE": "communication flow",
    "BROADCAST_FAILED": "communication flow",
    "TASK_ASSIGNMENT_FAILED": "dependency resolution",
    "CIRCULAR_DEPENDENCY": "dependency resolution",
    "DEPENDENCY_DEADLOCK": "dependency resolution",
    "TASK_ORPHANED": "dependency resolution",
    "EVENT_LOG_DAMAGED": "event processing",
}

_RANK: Mapping[CheckStatus, int] = {"pass": 0, "unknown": 1, "warn": 2, "fail": 3}

# Percent of the disk and of the memory in use at which a check warns, and at which it fails.
_DISK, _MEMORY = (85.0, 95.0), (75.0, 90.0)
# A load of more than there are processors slows everything down, and breaks nothing.
_PROCESSORS = (100.0, inf)

# How many findings a check tells in words.
_TOLD = 3

# How many times its pace a state may be without a backup before a check warns.
_LATE = 3


@dataclass(frozen=True, slots=True)
class HealthCheck(Observed):
    """How one part of a workspace's state is.

    + status: unknown where nothing could be asked
    + milliseconds: that judging it took
    + details: for the user, in one line
    """

    name: CheckName
    status: CheckStatus
    milliseconds: float
    details: str


@dataclass(frozen=True, slots=True)
class Resources:
    """What the host has; None is unknown.

    + busy: load average of a minute by processor, in percent
    """

    disk: Disk | None = None
    memory: Memory | None = None
    busy: float | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """All that the checks are made of: the workspace, its sessions, what its spec wants, and what the host has."""

    seen: SeenWorkspace
    reports: Sequence[SessionReport]
    rules: Orchestration
    resources: Resources = Resources()


_Finding = tuple[CheckStatus, str]


def check_health(looked: Looked, clock: Callable[[], float]) -> tuple[HealthCheck, ...]:
    """The eight checks in their order.

    + clock: seconds from any beginning, such as ``time.perf_counter``; what a check took is told by it
    """
    return tuple(_check(name, find, looked, clock) for name, find in _CHECKS.items())


def worst(checks: Sequence[HealthCheck]) -> CheckStatus:
    """The worst status of some checks; ``pass`` of none."""
    return max((check.status for check in checks), key=_RANK.__getitem__, default="pass")


def _check(
    name: CheckName, find: Callable[[Looked], Iterator[_Finding]], looked: Looked, clock: Callable[[], float]
) -> HealthCheck:
    began = clock()
    if looked.seen.trouble and name != "persistence integrity":
        found: list[_Finding] = [("unknown", looked.seen.trouble)]
    else:
        found = [*_of_sessions(name, looked.reports), *find(looked)]
    found.sort(key=lambda each: -_RANK[each[0]])
    wrong = [each for each in found if each[0] != "pass"] or found
    more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
    details = "; ".join(text for _, text in wrong[:_TOLD]) + more
    status = wrong[0][0] if wrong else "pass"
    return HealthCheck(name, status, round((clock() - began) * 1000, 3), details or "nothing is wrong")


def _of_sessions(name: CheckName, reports: Sequence[SessionReport]) -> Iterator[_Finding]:
    for report in reports:
        for issue in report.issues:
            if CHECK_OF.get(issue.code) == name:
                yield _status(issue), f"{report.name}: {issue.message}"


def _status(issue: Issue) -> CheckStatus:
    return "warn" if issue.severity == "minor" else "fail"


def _sessions(looked: Looked) -> Iterator[_Finding]:
    told = [report.name for report in looked.reports if report.status == "unknown"]
    if told:
        yield "unknown", f"{counted(len(told), 'session')} not read yet: {', '.join(told[:_TOLD])}"
    yield "pass", f"{counted(len(looked.reports), 'session')} looked at"


def _resources(looked: Looked) -> Iterator[_Finding]:
    has, limits = looked.resources, looked.rules.limits
    if has.disk is not None:
        told = f"the disk of {has.disk.path} is {has.disk.used_percent:.0f} % full"
        yield _by(has.disk.used_percent, _DISK), f"{told}, {size(has.disk.available)} left"
    if has.memory is not None:
        used = 100 - has.memory.available_percent
        yield _by(used, _MEMORY), f"{used:.0f} % of the memory is in use"
    if has.busy is not None:
        yield _by(has.busy, _PROCESSORS), f"the processors are {has.busy:.0f} % busy"
    number = len(looked.seen.sessions)
    if number > limits.sessions:
        yield "warn", f"{counted(number, 'session')}, more than {limits.sessions}"


def _by(used: float, limits: tuple[float, float]) -> CheckStatus:
    return "fail" if used >= limits[1] else "warn" if used >= limits[0] else "pass"


def _persistence(looked: Looked) -> Iterator[_Finding]:
    seen = looked.seen
    if seen.trouble:
        yield "fail", seen.trouble
        return
    for file in seen.sessions:
        if not file.is_own:
            yield "warn", f"{file.name} is a link, or another user's: it is never written"
            continue
        kept = [each.changed_at for each in seen.backups if file.name in each.name]
        overdue = file.changed_at - max(kept, default=0.0) > _LATE * max(looked.rules.backup_every, 1.0)
        if not kept:
            yield "warn", f"{file.name} has no backup yet"
        elif overdue:
            yield "warn", f"the newest backup of {file.name} is old"
    yield "pass", f"{counted(len(seen.backups), 'backup')} kept"


def _events(looked: Looked) -> Iterator[_Finding]:
    logs = looked.seen.events
    foreign = [each.name for each in logs if not each.is_own]
    if foreign:
        yield "warn", f"not read, being a link or another user's: {', '.join(foreign[:_TOLD])}"
    newest = max((each.changed_at for each in logs), default=None)
    for file in looked.seen.sessions:
        if newest is not None and file.changed_at - newest > looked.rules.stale_after:
            yield "warn", f"{file.name} goes on, and no event was written for long"
    yield "pass", f"{counted(len(logs), 'event log')}, {size(sum(each.size for each in logs))}"


def _nothing_more(looked: Looked) -> Iterator[_Finding]:
    del looked
    yield from ()


_CHECKS: Mapping[CheckName, Callable[[Looked], Iterator[_Finding]]] = {
    "state consistency": _nothing_more,
    "session validity": _sessions,
    "agent responsiveness": _nothing_more,
    "resource availability": _resources,
    "persistence integrity": _persistence,
    "communication flow": _nothing_more,
    "dependency resolution": _nothing_more,
    "event processing": _events,
}
