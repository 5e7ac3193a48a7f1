"""What is to become of a session's file, for each thing that a human may ask for. Pure.

Each function makes a ``miyabi.state_material.Decide``, for ``miyabi.state_repair.settle``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from miyabi.orchestration.findings import Change, Evidence
from miyabi.orchestration.rules import CleanUp, Orchestration
from miyabi.orchestration.session_state import ENDED, TASKS, State, at, ids, objects
from miyabi.orchestration.workspace import SeenLock
from miyabi.state_material import Decide, Decision, Material, decision_of
from miyabi.words import counted

if TYPE_CHECKING:
    from miyabi.orchestration.event_log import EventLog
    from miyabi.orchestration.recovery import Backup

_LOG = "EVENT_LOG_DAMAGED"

# Names that are told one by one.
_TOLD = 12


def repairing(rules: Orchestration) -> Decide:
    """Repair it by the decision tree: in place, from the event log, from a backup, or what is critical alone."""
    from miyabi.orchestration.event_log import EventLog  # noqa: PLC0415 - only who repairs needs all this
    from miyabi.orchestration.recovery import recover  # noqa: PLC0415

    def decide(material: Material) -> Decision | None:
        if material.content is None:
            return Decision("none", steps=("there is no such file",))
        log, backups = material.log, material.backups
        found = recover(material.content, log or EventLog(), backups or (), material.evidence, rules, material.name)
        if found.method == "none" and material.lock is not None and material.lock.holder == "gone":
            return _released(material, material.lock)
        is_enough = found.method == "none" or (found.method == "repair" and not found.missing)
        return decision_of(found) if is_enough or log is not None else None

    return decide


def replaying(rules: Orchestration) -> Decide:
    """Rebuild it from the event log, whatever the file holds now."""
    from miyabi.orchestration.replay import replay  # noqa: PLC0415 - only who replays needs it
    from miyabi.orchestration.session_json import state_text, style_of  # noqa: PLC0415

    def decide(material: Material) -> Decision | None:
        if material.log is None:
            return None
        before = _state_of(material.content)
        own_id = session_id_of(material.name, before)
        made = replay(None, material.log, own_id)
        if made.beginning == "middle":
            # Only a log that does not say how all began needs a backup to begin with.
            states = [state for each in material.backups or () if (state := _valid(each)) is not None]
            made = next((found for base in states if (found := replay(base, material.log, own_id)).applied), made)
        if made.state is None or not (made.applied or made.beginning in {"checkpoint", "created"}):
            return Decision("none", steps=(f"the event log says nothing of the session {own_id}",))
        changes, state = _healed(made.state, material.evidence, rules)
        content = state_text(state, style_of(material.content or b""))
        changes = (*_log_damage(material.log), *changes)
        return Decision("replay", content, changes, (), (*made.missing, *_lacking(before, state)))

    return decide


def restoring(rules: Orchestration, backup: str = "") -> Decide:
    """Put a backup back.

    + backup: its name, or the name of a whole backup; "" is the newest that needs no repair, else the newest valid one
    """

    def decide(material: Material) -> Decision | None:
        if material.backups is None:
            return None
        named = [each for each in material.backups if not backup or is_backup_called(each.name, backup)]
        states = [(each, state) for each in named if (state := _valid(each)) is not None]
        steps = tuple(f"{each.name} is no valid state" for each in named if not any(each is kept for kept, _ in states))
        if not states:
            which = f"of the name {backup}" if backup else "that is valid"
            return Decision("none", steps=(*steps, f"there is no backup of it {which}"))
        well = (pair for pair in states if not backup and not _healed(pair[1], material.evidence, rules)[0])
        chosen, state = next(well, states[0])
        if chosen.content == material.content:
            return Decision("none", steps=(*steps, f"it is what {chosen.name} holds already"))
        lacking = tuple(_lacking(_state_of(material.content), state))
        return Decision("backup", chosen.content, _difference(chosen.name), (), lacking, steps)

    return decide


def cleaning(rules: Orchestration, how: CleanUp = "standard") -> Decide:
    """Archive what is finished and old."""
    from miyabi.orchestration.clean_up import clean_up  # noqa: PLC0415 - only who cleans up needs it
    from miyabi.orchestration.session_json import read_state, state_text  # noqa: PLC0415

    def decide(material: Material) -> Decision | None:
        read = read_state(material.content or b"")
        if read.state is None:
            return Decision("none", steps=(f"it has to be repaired first: {read.flaw}",))
        cleaned = clean_up(read.state, how, material.evidence, rules)
        if not cleaned.changes:
            return Decision("none")
        return Decision("clean", state_text(cleaned.state, read.style), cleaned.changes, cleaned.archived)

    return decide


def resetting() -> Decide:
    """Put it aside, whole, so that a session begins anew."""

    def decide(material: Material) -> Decision | None:
        if material.content is None:
            return Decision("none")
        state = _state_of(material.content)
        open_tasks = _open_tasks(state)
        return Decision("reset", None, missing=tuple(f"open: task {_titled(*each)}" for each in open_tasks))

    return decide


def is_backup_called(name: str, wanted: str) -> bool:
    """Whether a human means this backup.

    + name: ``session-X.json/STAMP.json``, or ``backup-STAMP/state/session-X.json``
    + wanted: that, ``session-X.json/STAMP``, ``STAMP`` or ``backup-STAMP``
    """
    first, _, rest = name.partition("/")
    return wanted.strip("/") in {name, name.removesuffix(".json"), first, rest, rest.removesuffix(".json")}


def session_id_of(name: str, state: State | None) -> str:
    """The id of a session: what its state says, else what its file is called after.

    + name: ``session-X.json``
    """
    told = at(state, ("session", "id"))
    return told if isinstance(told, str) and told else name.removeprefix("session-").removesuffix(".json")


def _state_of(content: bytes | None) -> State | None:
    """What can be read of a content; None when nothing can."""
    from miyabi.orchestration.session_json import read_state, repair_text  # noqa: PLC0415

    if content is None:
        return None
    state = read_state(content).state
    if state is None and (repaired := repair_text(content)) is not None:
        state = repaired.state
    return state


def _valid(backup: Backup) -> State | None:
    """The state in a backup; None when it is no whole one."""
    from miyabi.orchestration.session_json import read_state  # noqa: PLC0415
    from miyabi.orchestration.session_state import PARTS  # noqa: PLC0415

    state = read_state(backup.content).state
    return state if state is not None and all(isinstance(state.get(part), dict) for part in PARTS) else None


def _log_damage(log: EventLog) -> Iterator[Change]:
    """What of an event log cannot be replayed."""
    if log.broken:
        first = f", the first at {log.flaws[0].text}" if log.flaws else ""
        yield Change(_LOG, "", f"{counted(log.broken, 'line')} of the event log cannot be read{first}", "left out")
    for gap in log.gaps[:_TOLD]:
        yield Change(_LOG, "", f"the event log lacks {gap.text}", "what it said is not known")


def _healed(state: State, evidence: Evidence, rules: Orchestration) -> tuple[tuple[Change, ...], State]:
    from miyabi.orchestration.healing import heal  # noqa: PLC0415

    healed = heal(state, evidence, rules)
    return healed.changes, healed.state


def _lacking(before: State | None, after: State) -> Iterator[str]:
    """What was there before and will not be any more, for the user, a line each."""
    left = set(ids(after))
    gone = [each for each in dict.fromkeys(ids(before)) if each not in left] if before is not None else []
    for kind, name in gone[:_TOLD]:
        yield f"{kind} {name} is in the file as it is now, and not in what replaces it"
    if len(gone) > _TOLD:
        yield f"and {len(gone) - _TOLD} more"


def _difference(name: str) -> tuple[Change, ...]:
    return (Change("SESSION_CORRUPTED", "", "it is to be as it was", f"as {name} holds it"),)


def _released(material: Material, lock: SeenLock) -> Decision:
    """Write the file as it is: who writes takes the lock of a dead process over, and releases it."""
    who = "a process" if lock.pid is None else f"process {lock.pid}"
    change = Change("SESSION_ZOMBIE", "", f"its file is locked by {who}, which has ended", "the lock is released")
    return Decision("repair", material.content, (change,))


def _open_tasks(state: State | None) -> list[tuple[str, State]]:
    tasks = objects(state, TASKS)
    return [(name, task) for name, task in tasks.items() if task.get("status") not in ENDED]


def _titled(name: str, task: State) -> str:
    title = task.get("title")
    status = task.get("status")
    return f"{name} ({status})" + (f": {title}" if isinstance(title, str) and title else "")
