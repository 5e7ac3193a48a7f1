"""What a human should do about a workspace's state, by what was found in it: steps, time, and risk. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from miyabi.masking import shown
from miyabi.orchestration.error_table import words_of
from miyabi.orchestration.error_words import Places, filled_in
from miyabi.orchestration.workspace import REPLACED
from miyabi.records import Severity
from miyabi.severity import rank
from miyabi.state import Observed
from miyabi.words import counted, made

Risk = Literal["low", "medium", "high"]

# What makes a file unusable: it needs its log or a backup.
DAMAGED = frozenset({"SESSION_CORRUPTED", "STATE_CORRUPTED", "SESSION_INIT_FAILED"})

# What healing takes away in place, without anything that is lost.
HEALED = frozenset(
    {
        "SESSION_ZOMBIE",
        "STATE_SIZE_EXCEEDED",
        "STATE_VALIDATION_FAILED",
        "STATE_CIRCULAR_REFERENCE",
        "STATE_CONSISTENCY_FAILED",
        "AGENT_CRASHED",
        "TASK_ASSIGNMENT_FAILED",
        "CIRCULAR_DEPENDENCY",
        "DEPENDENCY_DEADLOCK",
        "MESSAGE_QUEUE_OVERFLOW",
        "MESSAGE_DELIVERY_FAILED",
        "MESSAGE_CORRUPTION",
        "CHANNEL_UNAVAILABLE",
        "BROADCAST_FAILED",
    }
)

_CRITICAL = frozenset({"STATE_CORRUPTED", "AGENT_SYSTEM_FAILURE"})
_HIGH = frozenset(
    {
        "SESSION_CORRUPTED",
        "SESSION_INIT_FAILED",
        "WORKSPACE_ACCESS_DENIED",
        "PERSISTENCE_FAILED",
        "MEMORY_EXHAUSTION",
        "RESOURCE_EXHAUSTION",
        "STATE_CONSISTENCY_FAILED",
        "AGENT_CRASHED",
        "DEPENDENCY_DEADLOCK",
        "CIRCULAR_DEPENDENCY",
    }
)
_LOW = frozenset({"SESSION_TIMEOUT", "SESSION_LOCKED", "STATE_CONFLICT"})

# Seconds, generously: a start of the program and a look, a run of pyinfra on a host, and a session to be decided on.
_START, _RUN, _SESSION = 1.0, 6.0, 0.2
# Bytes a second that are read, judged, copied or sent.
_PACE = 10_000_000

# Seconds after which a backup is old: much may have happened since.
_OLD = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class FoundBackup:
    """A backup of a workspace: its name as ``miyabi state restore`` takes it, and when it was made."""

    name: str
    made_at: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a workspace.

    + host: "" is this machine
    + sessions: how many there are
    + damaged: the names of those with something to repair
    + size: bytes of all of them
    + backups: the newest first
    + has_log: whether there is an event log
    + held: the names of sessions that a running program holds
    """

    workspace: str
    now: float
    host: str = ""
    sessions: int = 0
    damaged: tuple[str, ...] = ()
    size: int = 0
    backups: tuple[FoundBackup, ...] = ()
    has_log: bool = False
    held: tuple[str, ...] = ()

    @property
    def backup(self) -> FoundBackup | None:
        """The one to go back to: the newest of a valid state, else the newest of what was replaced."""
        return min(self.backups, key=lambda each: (REPLACED in each.name, -each.made_at), default=None)


@dataclass(frozen=True, slots=True)
class Step(Observed):
    """One thing to do.

    + text: one sentence
    + command: ready to paste; "" where there is none
    + seconds: that it takes, roughly; 0 is what depends on a human
    + risk: what may be worse afterwards
    """

    text: str
    command: str = ""
    seconds: float = 0.0
    risk: Risk = "low"


@dataclass(frozen=True, slots=True)
class Guidance(Observed):
    """What a human should do, in this order.

    + severity: None when nothing is wrong
    + seconds: that it takes in all, roughly, without what depends on a human
    + risk: the highest of what the first way needs; ``why`` says what it comes from
    + prerequisites: what must hold before the first step
    """

    severity: Severity | None
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0
    risk: Risk = "low"
    why: str = ""
    prerequisites: tuple[str, ...] = ()


def guidance(codes: Collection[str], found: Found) -> Guidance:
    """What to do about errors.

    + codes: of the issues that were found
    """
    if not codes:
        return Guidance(None, why="Nothing is wrong.")
    is_damaged = not DAMAGED.isdisjoint(codes)
    if "WORKSPACE_ACCESS_DENIED" in codes:
        steps = tuple(_of_words(["WORKSPACE_ACCESS_DENIED"], found))
    elif is_damaged or not HEALED.isdisjoint(codes):
        steps = (*_repairing(found, is_damaged=is_damaged), *_by_hand(codes, found))
    else:
        steps = tuple(_of_words(sorted(codes), found))
    risk, why = _risk(found, is_damaged=is_damaged)
    # What is only needed when the step before it did not help is not counted.
    seconds = sum(each.seconds for each in steps if not each.text.startswith(("Or ", "Only ")))
    return Guidance(severity(codes, found), steps, seconds, risk, why, tuple(_prerequisites(codes, found)))


def severity(codes: Collection[str], found: Found) -> Severity | None:
    """How bad errors are: damage to all sessions of several, or without a log or a backup, is critical."""
    if not codes:
        return None
    each = [_severity(code) for code in codes]
    if not DAMAGED.isdisjoint(codes):
        is_all = found.sessions > 1 and len(found.damaged) >= found.sessions
        if is_all or (not found.backups and not found.has_log):
            each.append("CRITICAL")
    return max(each, key=rank)


def _severity(code: str) -> Severity:
    if code in _CRITICAL:
        return "CRITICAL"
    if code in _HIGH:
        return "HIGH"
    return "LOW" if code in _LOW else "MEDIUM"


def _repairing(found: Found, *, is_damaged: bool) -> Iterator[Step]:
    """Keep, see, repair; and for what is damaged the ways that are left when that does not help."""
    work = _seconds(found)
    one = found.damaged[0] if len(found.damaged) == 1 else ""
    session = " {session}" if one and filled_in("{session}", _places(found, one)) else ""
    what = shown(one) if one else counted(len(found.damaged) or found.sessions, "session")
    places = _places(found, one)
    yield _step("Keep all of it as it is now.", "miyabi state backup {where}", places, work)
    see = f"See what a repair of {what} would change."
    yield _step(see, f"miyabi state repair --dry {{where}}{session}", places, work)
    yield _step("Repair it; it asks first.", f"miyabi state repair {{where}}{session}", places, work)
    if is_damaged and found.has_log:
        option = " --session {session}" if session else ""
        text = "Or rebuild it from the event log; it shows the difference, and asks."
        yield _step(text, f"miyabi state replay {{where}}{option}", places, work * 2, "medium")
    if is_damaged and (newest := found.backup) is not None:
        text = f"Or go back to the newest backup, {made(found.now - newest.made_at)}: {_since(found)}"
        option = " --session {session}" if session else ""
        yield _step(text, f"miyabi state restore {{where}}{option} {{backup}}", places, work, "medium")
    if is_damaged:
        text = "Only if nothing else helps: begin anew. What is there is kept aside, and open tasks are named."
        yield _step(text, "miyabi state reset {where}", places, work, "high")
    yield _step("Look again: it should find nothing more.", "miyabi state analyze {where}", places, work)


def _since(found: Found) -> str:
    return "what happened since is in the event log." if found.has_log else "what happened since then is lost."


def _by_hand(codes: Collection[str], found: Found) -> Iterator[Step]:
    """What healing does not do: what a human has to look at as well."""
    rest = [code for code in sorted(codes) if code not in DAMAGED | HEALED | _LOW]
    known = {"miyabi state analyze", "miyabi state backup", "miyabi state repair"}
    for step in _of_words(rest, found):
        if not step.command.startswith(tuple(known)):
            yield step


def _of_words(codes: Sequence[str], found: Found) -> Iterator[Step]:
    """The actions of the errors' own words, each once."""
    places = _places(found, found.damaged[0] if len(found.damaged) == 1 else "")
    told: set[str] = set()
    for code in codes:
        for action in words_of(code).actions:
            command = filled_in(action.command, places)
            if (command or action.text) not in told:
                told.add(command or action.text)
                yield Step(action.text, command, _seconds(found) if command.startswith("miyabi state") else 0.0)


def _step(text: str, command: str, places: Places, seconds: float, risk: Risk = "low") -> Step:
    return Step(text, filled_in(command, places), round(seconds, 1), risk)


def _places(found: Found, session: str) -> Places:
    return Places(found.workspace, session, found.host, found.backup.name if found.backup else "")


def _seconds(found: Found) -> float:
    each = _START + found.size / _PACE + _SESSION * len(found.damaged)
    return round(each + (_RUN if found.host else 0.0), 1)


def _risk(found: Found, *, is_damaged: bool) -> tuple[Risk, str]:
    """What may be worse afterwards, and why."""
    kept = "everything that is replaced is kept in .claude/recovery first"
    if not is_damaged:
        return "low", f"Nothing is lost: {kept}."
    if not found.backups and not found.has_log:
        return "high", f"Neither a backup nor an event log is there: what the file has lost cannot be had; {kept}."
    newest = found.backup
    if not found.has_log and newest is not None and found.now - newest.made_at > _OLD:
        old = made(found.now - newest.made_at)
        return "medium", f"The newest backup is {old}, and no event log says what happened since; {kept}."
    have = " and ".join(
        filter(None, (counted(len(found.backups), "backup") if found.backups else "", "an event log" * found.has_log))
    )
    verb = "are" if len(found.backups) > 1 else "is"
    return "low", f"There {verb} {have} to go by, and {kept}."


def _prerequisites(codes: Collection[str], found: Found) -> Iterator[str]:
    if "WORKSPACE_ACCESS_DENIED" in codes:
        yield "You may change who may read the folder."
        return
    if found.held:
        names = ", ".join(map(shown, found.held[:3])) + (" and others" if len(found.held) > 3 else "")
        yield f"A running program holds {names}: stop it, or let it finish; nothing is written while it holds them."
    elif not DAMAGED.isdisjoint(codes):
        yield "The program that keeps these sessions does not run: it could write over what is left."
    if "PERSISTENCE_FAILED" in codes:
        yield "There is room on the disk, and the folder may be written."
