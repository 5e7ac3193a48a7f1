"""What a decision about a workspace's sessions goes by, and who can look, read and write there.

A workspace may be one of this machine or of a host: whoever reaches it is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol

from miyabi.orchestration.findings import Archived, Change, Evidence
from miyabi.orchestration.workspace import SeenFile, SeenLock, SeenWorkspace

if TYPE_CHECKING:
    from miyabi.orchestration.event_log import EventLog
    from miyabi.orchestration.recovery import Backup, Recovery

# The digest of a file that is not there.
NO_FILE = "none"

# written: it is there now. changed: the file is another one than was decided on. busy: a live process holds its lock,
# and was waited for.
# refused: it may not be written. failed: it could not be, as on a full disk.
WriteOutcome = Literal["written", "changed", "busy", "refused", "failed"]

# The error that each is for a human.
ERROR_OF: Mapping[WriteOutcome, str] = {
    "changed": "STATE_CONFLICT",
    "busy": "SESSION_LOCKED",
    "refused": "WORKSPACE_ACCESS_DENIED",
    "failed": "PERSISTENCE_FAILED",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files whose contents are needed, by their names in the lists of a ``SeenWorkspace``."""

    sessions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read, by name; a file that could not be read, or is gone, is left out."""

    sessions: Mapping[str, bytes] = field(default_factory=dict)
    events: Mapping[str, bytes] = field(default_factory=dict)
    backups: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to become of a session's file.

    + expected: the SHA-256 of what it was decided on, ``NO_FILE`` when there was no such file; another one there means
      that somebody was faster
    + content: None puts the file that is there into the quarantine
    + archived: what goes into the archive before the file is replaced
    """

    name: str
    expected: str
    content: bytes | None
    archived: tuple[Archived, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a wish; ``reason`` is one line, "" when it was written."""

    outcome: WriteOutcome
    reason: str = ""


class Workspace(Protocol):
    """A workspace that can be looked at, read and written; raises nothing but ``MiyabiError``."""

    def look(self, pids: Sequence[int] = ()) -> SeenWorkspace:
        """What is there now, with the digests of all sessions.

        + pids: processes that are asked for
        """
        ...

    def contents(self, wanted: Wanted) -> Contents:
        """What the files hold now, however large they are."""
        ...

    def write(self, wish: Wish) -> Written:
        """Replace a session's file, or put it into the quarantine: whole, or not at all."""
        ...


@dataclass(frozen=True, slots=True)
class Material:
    """All that a decision about one session's file goes by.

    + file: None when there is no such file
    + content: None when there is no such file
    + lock: None when nobody has locked it
    + log, backups: None when they were not read yet; they are when a decision asks for them
    """

    name: str
    file: SeenFile | None
    content: bytes | None
    evidence: Evidence
    lock: SeenLock | None = None
    log: EventLog | None = None
    backups: tuple[Backup, ...] | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the next look may read what this one could not."""
        return self.file is None or (self.file.is_own and self.file.digest != "")


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a session's file.

    + method: how, in a word: ``none`` when nothing is, ``quarantine`` when a human must look
    + content: None where nothing is written
    + missing, steps: for the user, a line each
    """

    method: str
    content: bytes | None = None
    changes: tuple[Change, ...] = ()
    archived: tuple[Archived, ...] = ()
    missing: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


NOTHING = Decision("none")

# The method of a decision where nobody could tell what is there.
UNKNOWN = "unknown"

# None: the event log and the backups are needed; it is asked again with them.
Decide = Callable[[Material], Decision | None]


def digest_of(content: bytes | None) -> str:
    """How a file's content is known again; ``NO_FILE`` for a file that is not there."""
    return NO_FILE if content is None else sha256(content).hexdigest()


def is_nothing(material: Material, decision: Decision) -> bool:
    """Whether a decision leaves the file as it is."""
    return decision.method == "none" or (decision.content == material.content and not decision.changes)


def decision_of(recovery: Recovery) -> Decision:
    """What the decision tree came to, as a decision."""
    return Decision(
        recovery.method,
        None if recovery.method in {"none", "quarantine"} else recovery.content,
        recovery.changes,
        recovery.archived,
        tuple(recovery.missing),
        tuple(recovery.steps),
    )


def decided(
    there: Workspace, seen: SeenWorkspace, names: Sequence[str], decide: Decide
) -> Iterator[tuple[Material, Decision]]:
    """What is decided of each session's file by what it holds now; ``UNKNOWN`` where that cannot be told."""
    files = {each.name: each for each in seen.sessions}
    held = there.contents(Wanted(tuple(name for name in names if name in files))).sessions
    pids = {name: agent_pids(held[name]) for name in names if name in held}
    if asked := sorted({pid for each in pids.values() for pid in each.values()}):
        seen = replace(there.look(asked), sessions=seen.sessions)
    for name in names:
        file, content = files.get(name), held.get(name)
        if file is not None and (content is None or not file.is_own):
            why = "it cannot be read" if file.is_own else "it is no plain file of the user's own"
            yield Material(name, file, None, Evidence(seen.now)), Decision(UNKNOWN, steps=(why,))
            continue
        evidence = evidence_of(seen, pids.get(name, {}), file.changed_at if file else seen.now)
        lock = next((each for each in seen.locks if each.name == name), None)
        material = Material(name, file, content, evidence, lock)
        decision = decide(material)
        if decision is None:
            material = with_history(there, seen, material)
            decision = decide(material)
        yield material, decision or NOTHING


def agent_pids(content: bytes) -> dict[str, int]:
    """The processes that the active agents of a state say they are, by the agents' ids."""
    from miyabi.orchestration import content_analysis  # noqa: PLC0415 - only who repairs needs it
    from miyabi.orchestration.session_json import read_state, repair_text  # noqa: PLC0415

    state = read_state(content).state
    if state is None:
        repaired = repair_text(content)
        state = repaired.state if repaired is not None else None
    return {} if state is None else content_analysis.agent_pids(state)


def evidence_of(seen: SeenWorkspace, pids: Mapping[str, int], named_at: float) -> Evidence:
    """What is known of a state's agents.

    + pids: of its agents, by their ids
    + named_at: when the state was written
    """
    gone = {name: seen.is_gone(pid, named_at) for name, pid in pids.items()}
    dead = frozenset(name for name, is_gone in gone.items() if is_gone is True)
    alive = frozenset(name for name, is_gone in gone.items() if is_gone is False)
    return Evidence(seen.now, dead, alive)


def with_history(there: Workspace, seen: SeenWorkspace, material: Material) -> Material:
    """The material with the event log, and with the backups of this file, the newest first."""
    from miyabi.orchestration.event_log import read_events  # noqa: PLC0415 - only what cannot be repaired in place needs
    from miyabi.orchestration.recovery import Backup  # noqa: PLC0415

    events = tuple(each.name for each in seen.events)
    mine = tuple(each for each in seen.backups if backup_of(each.name) == material.name)
    read = there.contents(Wanted((), events, tuple(each.name for each in mine)))
    log = read_events([(name, read.events[name]) for name in events if name in read.events])
    backups = [
        Backup(each.name, each.changed_at, read.backups[each.name]) for each in mine if each.name in read.backups
    ]
    return replace(material, log=log, backups=tuple(backups))


def backup_of(name: str) -> str:
    """The session's file that a backup is of; "" when its name does not say so.

    + name: ``session-X.json/STAMP.json``, or ``backup-STAMP/state/session-X.json``
    """
    parts = name.split("/")
    if len(parts) == 2 and not parts[0].startswith("backup-"):
        return parts[0]
    return parts[-1] if len(parts) == 3 and parts[0].startswith("backup-") and parts[1] == "state" else ""
