"""What is judged of a session: of its file's content alone, kept by its digest, and of that in its workspace. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from miyabi.limits import size
from miyabi.orchestration.findings import Issue, SessionStatus, Severity
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.workspace import SeenFile, SeenWorkspace
from miyabi.state import Observed
from miyabi.words import counted, lasting

Repair = Literal["none", "minor", "major", "critical"]

_RANK: Mapping[Repair, int] = {"none": 0, "minor": 1, "major": 2, "critical": 3}

_TOO_LARGE = "STATE_SIZE_EXCEEDED"

# A session in which one of these is to be repaired does not hold together as it is.
_CORRUPTED = frozenset(
    {
        "SESSION_CORRUPTED",
        "SESSION_INIT_FAILED",
        "STATE_VALIDATION_FAILED",
        "STATE_CONSISTENCY_FAILED",
        "STATE_CIRCULAR_REFERENCE",
        "CIRCULAR_DEPENDENCY",
        "DEPENDENCY_DEADLOCK",
        "TASK_ASSIGNMENT_FAILED",
        "MESSAGE_CORRUPTION",
    }
)

# Clocks of one host's programs differ by less; an activity further in the future is no activity.
_CLOCKS = 300.0


@dataclass(frozen=True, slots=True)
class Analysis(Observed):
    """All that a content alone says, under the rules of its workspace; as JSON it is kept by the content's digest.

    + issues: what is wrong whatever the time and whoever lives
    + severity: the worst of what is to be repaired
    + session_id: "" when it names none
    + last_activity: seconds since the epoch; None when it does not say
    + counts: of tasks, open tasks, agents, pooled ones, messages, dead letters, locks and events
    + pids: of the active agents that name their process
    + next_due: when something is to be done next, such as a lock that expires; None when nothing is
    + due: the issues that there are from then on
    """

    issues: tuple[Issue, ...] = ()
    severity: Repair = "none"
    session_id: str = ""
    last_activity: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    next_due: float | None = None
    due: tuple[Issue, ...] = ()

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` made."""
        issues, due = (tuple(Issue(**each) for each in kept[key]) for key in ("issues", "due"))
        return cls(**{**kept, "issues": issues, "due": due})


@dataclass(frozen=True, slots=True)
class SessionReport(Observed):
    """How a session is.

    + name: of its file
    + issues: the worst first
    + size: bytes
    + changed_at, last_activity: seconds since the epoch on the host
    + repair: how much of a repair it needs
    """

    name: str
    status: SessionStatus
    issues: tuple[Issue, ...] = ()
    size: int = 0
    changed_at: float = 0.0
    last_activity: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    repair: Repair = "none"


def analyse(content: bytes, changed_at: float, rules: Orchestration) -> Analysis:
    """All that is judged of a content.

    + changed_at: when the file was written, seconds since the epoch on its host
    """
    from miyabi.orchestration.content_analysis import analysed  # noqa: PLC0415 - only a content that is new needs it

    return analysed(content, changed_at, rules)


def judge_session(
    file: SeenFile, analysis: Analysis | None, seen: SeenWorkspace, rules: Orchestration
) -> SessionReport:
    """How a session is, by its file, by what is known of its content, and by what else is seen of its workspace.

    + analysis: of the file's digest; None when none is known: then the content is analysed, if it is there
    """
    if analysis is None and file.content is not None:
        analysis = analyse(file.content, file.changed_at, rules)
    if analysis is None:
        found = [*_of_lock(file, seen), *_of_size(file, (), rules)]
        return SessionReport(file.name, "unknown", tuple(found), file.size, file.changed_at)
    issues = [
        *analysis.issues,
        *_of_lock(file, seen),
        *_of_agents(file, analysis, seen),
        *_of_due(analysis, seen),
        *_of_size(file, analysis.issues, rules),
        *_of_counts(analysis, rules),
        *_of_age(file, analysis, seen, rules),
    ]
    issues.sort(key=lambda issue: -_RANK[issue.severity])
    return SessionReport(
        name=file.name,
        status=_status(analysis, issues),
        issues=tuple(issues),
        size=file.size,
        changed_at=file.changed_at,
        last_activity=analysis.last_activity,
        counts=analysis.counts,
        repair=worst(issues),
    )


def worst(issues: Sequence[Issue]) -> Repair:
    """The worst of what is to be repaired; ``none`` when nothing is."""
    found: list[Severity] = [issue.severity for issue in issues if issue.repairable]
    return max(found, key=_RANK.__getitem__, default="none")


def _status(analysis: Analysis, issues: Sequence[Issue]) -> SessionStatus:
    codes = {issue.code for issue in issues}
    if analysis.severity in {"major", "critical"} or any(
        issue.code in _CORRUPTED and issue.repairable for issue in analysis.issues
    ):
        return "corrupted"
    return next((status for status, code in _BY_CODE if code in codes), "healthy")


# In the order in which they count.
_BY_CODE: tuple[tuple[SessionStatus, str], ...] = (
    ("zombie", "SESSION_ZOMBIE"),
    ("locked", "SESSION_LOCKED"),
    ("large", _TOO_LARGE),
    ("stale", "SESSION_TIMEOUT"),
)


def _of_lock(file: SeenFile, seen: SeenWorkspace) -> Iterator[Issue]:
    for lock in seen.locks:
        if lock.name != file.name:
            continue
        who = "an unknown process" if lock.pid is None else f"process {lock.pid}"
        if lock.holder == "gone":
            yield Issue("SESSION_ZOMBIE", "minor", "", f"its file is locked by {who}, which has ended")
        else:
            runs = "runs" if lock.holder == "alive" else "may run"
            yield Issue("SESSION_LOCKED", "minor", "", f"its file is locked by {who}, which {runs}", repairable=False)


def _of_agents(file: SeenFile, analysis: Analysis, seen: SeenWorkspace) -> Iterator[Issue]:
    gone = {name: pid for name, pid in analysis.pids.items() if seen.is_gone(pid, file.changed_at)}
    if gone:
        told = ", ".join(f"{name} (process {pid})" for name, pid in list(gone.items())[:_TOLD])
        more = f" and {len(gone) - _TOLD} more" if len(gone) > _TOLD else ""
        have = "has" if len(gone) == 1 else "have"
        yield Issue("SESSION_ZOMBIE", "minor", "", f"{counted(len(gone), 'agent')} {have} ended: {told}{more}")
    for name, pid in gone.items():
        path = f"execution.agents.active.{name}"
        yield Issue("AGENT_CRASHED", "minor", path, f"the process {pid} of agent {name} has ended")


def _of_due(analysis: Analysis, seen: SeenWorkspace) -> Iterator[Issue]:
    if analysis.next_due is not None and analysis.next_due <= seen.now:
        yield from analysis.due


def _of_size(file: SeenFile, known: Sequence[Issue], rules: Orchestration) -> Iterator[Issue]:
    """Its size, also where nothing in it may be taken out any more."""
    if file.size > rules.limits.session_size and all(issue.code != _TOO_LARGE for issue in known):
        message = f"it has {size(file.size)}, more than {size(rules.limits.session_size)}"
        yield Issue(_TOO_LARGE, "minor", "", message, repairable=False)


def _of_counts(analysis: Analysis, rules: Orchestration) -> Iterator[Issue]:
    agents, events = analysis.counts.get("agents", 0), analysis.counts.get("events", 0)
    if agents > rules.limits.agents:
        message = f"{counted(agents, 'active agent')}, more than {rules.limits.agents}"
        yield Issue("AGENT_CAPACITY_EXCEEDED", "minor", "execution.agents.active", message, repairable=False)
    if events > rules.limits.events:
        message = f"{counted(events, 'recent event')} in the state, more than {rules.limits.events}"
        yield Issue("STATE_SIZE_LIMIT_EXCEEDED", "minor", "observability.events.recent", message, repairable=False)


def _of_age(file: SeenFile, analysis: Analysis, seen: SeenWorkspace, rules: Orchestration) -> Iterator[Issue]:
    last = analysis.last_activity
    if last is None or last > seen.now + _CLOCKS:
        last = file.changed_at
    age = seen.now - last
    if age > rules.stale_after:
        yield Issue(
            "SESSION_TIMEOUT", "minor", "session.lifecycle", f"no activity for {lasting(age)}", repairable=False
        )


_TOLD = 3
