"""What is found in a session's state, and what was changed in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from miyabi.orchestration.session_state import State
from miyabi.state import Observed

# minor: repaired in place, nothing of it is lost. major: the state cannot be trusted as it is; its event log says what
# happened. critical: there is no state in the file.
Severity = Literal["minor", "major", "critical"]

SessionStatus = Literal["healthy", "corrupted", "stale", "large", "locked", "zombie", "unknown"]


@dataclass(frozen=True, slots=True)
class Issue(Observed):
    """One thing that is wrong with a session's state.

    + code: of ``miyabi.orchestration.error_table``, such as ``SESSION_CORRUPTED``
    + path: where in the state, such as ``execution.tasks.T1.assignee``; "" is all of it
    + message: for the user, with the names and figures, in one line
    + repairable: whether healing removes it; what is not is only told
    """

    code: str
    severity: Severity
    path: str
    message: str
    repairable: bool = True


@dataclass(frozen=True, slots=True)
class Change(Observed):
    """One thing that healing did.

    + code: the error that it answers
    + path: where in the state
    + found: what was wrong, such as "task T1 is assigned to A1, which is dead"
    + did: what was done about it, such as "back to pending, try 2"
    """

    code: str
    path: str
    found: str
    did: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the world outside of a state when it is healed.

    + now: seconds since the epoch on the host of the state
    + dead: the ids of agents whose processes are gone for certain
    + alive: the ids of agents whose processes run for certain; who is in neither is left as it is
    """

    now: float
    dead: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Archived(Observed):
    """Something that healing took out of the state, whole; it is written into the archive before the state is.

    + kind, id: as ``session_state.ids`` tells them; an id may be "" where the thing has none
    + path: where it was
    + reason: why it was taken out
    + value: as it was
    """

    kind: str
    id: str
    path: str
    reason: str
    value: Any


@dataclass(frozen=True, slots=True)
class Healed:
    """A state that was healed.

    + state: a new one; the given one is left as it was
    + changes: none when nothing was wrong
    + archived: what is no longer in the state
    + told: what is wrong and was left as it is, because only a human can tell what is right
    """

    state: State
    changes: tuple[Change, ...] = ()
    archived: tuple[Archived, ...] = ()
    told: tuple[Issue, ...] = ()
