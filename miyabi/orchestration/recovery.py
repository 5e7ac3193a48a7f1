"""The decision tree: how a session's state is recovered, from what there is. Pure.

In place where nothing of it is missing; else from its event log; else from its newest valid backup, brought up to date;
else what its file still holds, in a fresh structure. What the file holds and another source lacks is put in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from miyabi.orchestration.event import is_session
from miyabi.orchestration.event_log import EventLog
from miyabi.orchestration.findings import Archived, Change, Evidence, Healed
from miyabi.orchestration.healing import heal, issues_of
from miyabi.orchestration.merging import merged, things
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.salvage import Salvaged, salvage
from miyabi.orchestration.session_json import Style, read_state, state_text
from miyabi.orchestration.session_state import PARTS, State, at, ids
from miyabi.orchestration.values import said, text
from miyabi.words import counted

# none: nothing is to be done. repair: in place. replay: from the event log. backup: from a backup and the events after
# it. critical-data: what the file still holds. quarantine: nothing valid can be made; a human must look.
Method = Literal["none", "repair", "replay", "backup", "critical-data", "quarantine"]

# Names that are told one by one.
_TOLD = 12

# What healing archives because it names something that is not there.
_NAMING = frozenset({"reference", "edge", "node", "dependency", "block"})

# How often a state is healed at most until nothing is left to heal.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Backup:
    """A state of before.

    + name: below the folder of backups
    + changed_at: when it was kept, seconds since the epoch on its host
    """

    name: str
    changed_at: float
    content: bytes


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a session's file is to become.

    + content: None when nothing is to be written: as it is, or into the quarantine
    + changes: what was wrong, and what was done about it
    + archived: what is in the file, or was in a source, and is not in ``content``
    + missing: what could not be brought back, for the user, a line each
    + steps: what was tried and not taken, and why, a line each
    """

    method: Method
    content: bytes | None = None
    state: State | None = None
    changes: tuple[Change, ...] = ()
    archived: tuple[Archived, ...] = ()
    missing: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A state that may be taken.

    + is_older: whether what the file holds was written later than all of it
    """

    method: Method
    source: str
    state: State
    changes: tuple[Change, ...] = ()
    archived: tuple[Archived, ...] = ()
    missing: tuple[str, ...] = ()
    is_older: bool = False


@dataclass(frozen=True, slots=True)
class _Sources:
    """Out of what a state may be made.

    + session_id: whose it is; "" when that cannot be told
    """

    found: Salvaged
    log: EventLog
    backups: Sequence[Backup]
    session_id: str


def recover(  # noqa: PLR0913, PLR0917 - all that a decision goes by
    content: bytes | None,
    log: EventLog,
    backups: Sequence[Backup],
    evidence: Evidence,
    rules: Orchestration,
    name: str = "",
) -> Recovery:
    """What a session's file is to become, so that it is valid and nothing of it is lost.

    + content: of the file; None when it is not there
    + log: of the workspace; an empty one where there is none, or it was not read
    + backups: of this file, the newest first
    + name: of the file, such as ``session-7.json``: says whose it is where the content does not

    .. code:: python

        recover(content, read_events(files), backups, Evidence(now=1795237200.0), Orchestration("~/repo"))
    """
    found = Salvaged(None, "it is not there") if content is None else salvage(content)
    if content is not None and _is_well(found, len(content), evidence, rules):
        return Recovery("none", content, found.state)
    own_id = found.session_id or name.rpartition("/")[2].removesuffix(".json").removeprefix("session-")
    found = _doubted(_named(found, own_id) if own_id else found, evidence, rules)
    sources = _Sources(found, log, backups, own_id)
    steps: list[str] = []
    for candidate in _candidates(sources, _severity(found, evidence, rules), steps):
        made = _finished(candidate, found, evidence, rules)
        if isinstance(made, Recovery):
            return replace(made, steps=tuple(steps))
        steps.append(f"{candidate.source}: {made}")
    if content is None:
        return Recovery("none", steps=(*steps, "there is no such file, and nothing that it could be made of"))
    return Recovery("quarantine", archived=found.archived, missing=found.missing or ("all of it",), steps=tuple(steps))


def _named(found: Salvaged, own_id: str) -> Salvaged:
    """What a file holds, with the session's id where the file itself was no JSON and its name is known otherwise."""
    if found.state is None or not found.flaw or not any(part in found.state for part in PARTS):
        return found
    session = found.state.setdefault("session", {})
    if isinstance(session, dict) and not text(session.get("id")):
        session["id"] = own_id
    return found


def _doubted(found: Salvaged, evidence: Evidence, rules: Orchestration) -> Salvaged:
    """What a broken file holds, with what other things in it name and is not there: a damage may have taken it."""
    if found.state is None or not found.flaw:
        return found
    healed = heal(found.state, evidence, rules)
    named = {each.path for each in healed.archived if each.kind in _NAMING}
    told = [change.found for change in healed.changes if change.path in named]
    return replace(found, missing=(*found.missing, *(f"perhaps more: {each}" for each in told[:_TOLD])))


def _is_well(found: Salvaged, size: int, evidence: Evidence, rules: Orchestration) -> bool:
    """Whether nothing is to be done."""
    if found.state is None or found.flaw or found.archived:
        return False
    return not heal(found.state, evidence, rules, size).changes


def _candidates(sources: _Sources, judged: tuple[str, str], steps: list[str]) -> Iterator[_Candidate]:
    """The states that may be taken, in the order of the tree.

    + judged: how bad the file is, and why it is not repaired in place
    + steps: hears of what there is not
    """
    severity, why = judged
    itself = _itself(sources.found)
    if severity == "minor" and itself is not None:
        yield itself
    else:
        steps.append(f"repair in place: {why}")
    replays = list(_replays(sources, steps))
    kept = list(_from_backups(sources, steps))
    yield from [*kept[:1], *replays, *kept[1:]] if severity == "critical" else [*replays, *kept]
    if itself is not None and any(kind != "session" for kind, _ in ids(itself.state)):
        yield _with_events(replace(itself, method=_method(sources.found)), sources.log)
    yield from _from_middle(sources)


def _severity(found: Salvaged, evidence: Evidence, rules: Orchestration) -> tuple[str, str]:
    """How bad a file is, and why it is not repaired in place."""
    if found.severity != "minor" or found.state is None:
        return found.severity, "; ".join(found.missing[:3]) or found.flaw or "it holds nothing of a state"
    issues = issues_of(heal(found.state, evidence, rules))
    worst = [issue for issue in issues if issue.severity != "minor" and issue.repairable]
    if not worst:
        return "minor", ""
    return ("critical" if any(each.severity == "critical" for each in worst) else "major"), worst[0].message


def _itself(found: Salvaged) -> _Candidate | None:
    """What the file holds."""
    if found.state is None:
        return None
    did = "read in another way, and written anew"
    changes = [Change("SESSION_CORRUPTED", "", found.flaw, did)] if found.flaw else []
    changes += [
        Change("STATE_VALIDATION_FAILED", each.path, "it stands there more than once", "the last one counts")
        for each in (found.archived if not found.flaw else ())
    ]
    return _Candidate("repair", "repair in place", found.state, tuple(changes), (), found.missing)


def _method(found: Salvaged) -> Method:
    """By which name what the file holds is taken when there is nothing better."""
    state = found.state or {}
    return "repair" if all(isinstance(state.get(part), dict) for part in PARTS) else "critical-data"


def _replays(sources: _Sources, steps: list[str]) -> Iterator[_Candidate]:
    """The state that the log makes, when it holds a whole one to begin with."""
    from miyabi.orchestration.replay import replay  # noqa: PLC0415 - only what cannot be repaired in place needs it

    if not len(sources.log):
        steps.append("event log: there is none")
        return
    if not sources.session_id:
        steps.append("event log: whose session it is cannot be told")
        return
    made = replay(None, sources.log, sources.session_id)
    if made.state is None or made.beginning == "middle":
        steps.append("event log: it does not reach back to a whole state of this session")
        return
    what = f"{counted(made.applied, 'event')} after a {'checkpoint' if made.beginning == 'checkpoint' else 'creation'}"
    change = Change("SESSION_CORRUPTED", "", "the file cannot be repaired in place", f"rebuilt from {what}")
    yield _Candidate("replay", "event log", made.state, (change,), (), made.missing)


def _from_backups(sources: _Sources, steps: list[str]) -> Iterator[_Candidate]:
    """The states that valid backups hold, with the events after them, the newest first."""
    if not sources.backups:
        steps.append("backups: there are none")
    for backup in sources.backups:
        state = read_state(backup.content).state
        told = text(at(state, ("session", "id")))
        if state is None or not all(isinstance(state.get(part), dict) for part in PARTS):
            steps.append(f"backup {said(backup.name)}: it is no valid state")
        elif sources.session_id and told and not is_session(told, sources.session_id):
            steps.append(f"backup {said(backup.name)}: it is of the session {said(told)}")
        else:
            change = Change(
                "SESSION_CORRUPTED", "", "the file cannot be repaired in place", f"taken from {backup.name}"
            )
            candidate = _Candidate("backup", f"backup {said(backup.name)}", state, (change,), is_older=True)
            yield _with_events(candidate, sources.log)


def _with_events(candidate: _Candidate, log: EventLog) -> _Candidate:
    """A candidate brought up to date, where the log says from where on."""
    from miyabi.orchestration.replay import replay  # noqa: PLC0415 - only what cannot be repaired in place needs it

    base_id = text(at(candidate.state, ("session", "id")))
    if not len(log) or not base_id:
        late = ("what happened after it was kept: there is no event log",) if candidate.is_older else ()
        return replace(candidate, missing=(*candidate.missing, *late))
    made = replay(candidate.state, log, base_id)
    if made.state is None or made.beginning != "base":
        return candidate
    change = Change("SESSION_CORRUPTED", "", "events came after it", f"{counted(made.applied, 'event')} applied to it")
    return replace(
        candidate,
        state=made.state,
        changes=(*candidate.changes, change) if made.applied else candidate.changes,
        missing=(*candidate.missing, *made.missing),
        is_older=candidate.is_older and not made.applied,
    )


def _from_middle(sources: _Sources) -> Iterator[_Candidate]:
    """What the log says, when it does not say how all began."""
    from miyabi.orchestration.replay import replay  # noqa: PLC0415 - only what cannot be repaired in place needs it

    log = sources.log
    made = replay(None, log, sources.session_id) if sources.session_id and len(log) else None
    if made is not None and made.state is not None and made.beginning == "middle" and made.applied:
        change = Change("SESSION_CORRUPTED", "", "there is no whole state", "built of what the events say")
        yield _Candidate("replay", "event log", made.state, (change,), (), made.missing)


def _finished(candidate: _Candidate, found: Salvaged, evidence: Evidence, rules: Orchestration) -> Recovery | str:
    """A candidate with all that the file holds, healed and proved valid; why it is refused when it is not."""
    from miyabi.orchestration.session_schema import schema_flaws  # noqa: PLC0415 - pydantic is dear

    full = candidate
    if found.state is not None and candidate.method in {"replay", "backup"}:
        joined = merged(candidate.state, found.state, "the broken file", is_newer=candidate.is_older)
        changes, archived = (*candidate.changes, *joined.changes), (*candidate.archived, *joined.archived)
        full = replace(candidate, state=joined.state, changes=changes, archived=archived)
    healed = _healed(full.state, found.style, evidence, rules)
    if healed is None:
        return "it is not whole after healing it"
    content = state_text(healed.state, found.style)
    state = read_state(content).state
    if state is None or state_text(state, found.style) != content:
        return "what would be written does not read as the same state"
    known = {(each.path, each.message) for each in schema_flaws(full.state)}
    new = [each for each in schema_flaws(state) if (each.path, each.message) not in known]
    if new and candidate.state is not found.state:
        return f"it is not valid: {said(new[0].path)}: {new[0].message}"
    archived = (*found.archived, *full.archived, *healed.archived)
    lost = tuple(_lost(found, state, archived))
    told = (f"{each.kind} {said(each.id)}, which the archive has" for each in lost[:_TOLD])
    return Recovery(
        *(candidate.method, content, state, (*full.changes, *healed.changes)),
        *((*archived, *lost), (*full.missing, *told, *(each.message for each in new[:_TOLD]))),
    )


def _healed(state: State, style: Style, evidence: Evidence, rules: Orchestration) -> Healed | None:
    """A state healed until nothing is left to heal; None when that has no end."""
    healed = Healed(state)
    for _ in range(_ROUNDS):
        again = heal(healed.state, evidence, rules, len(state_text(healed.state, style)))
        if not again.changes:
            return healed
        changes, archived = healed.changes + again.changes, healed.archived + again.archived
        healed = replace(again, changes=changes, archived=archived)
    return None


def _lost(found: Salvaged, state: State, archived: Sequence[Archived]) -> Iterator[Archived]:
    """What the file holds and neither the new state nor the archive has."""
    if found.state is None:
        return
    known = {*ids(state), *((each.kind, each.id) for each in archived)}
    for thing in things(found.state):
        if thing.key not in known:
            yield thing.archived("it was in the broken file")
