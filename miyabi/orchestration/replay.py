"""A session's state rebuilt from the events of its log: a fold over them, from the newest whole state on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from miyabi.orchestration.event import Event, is_session
from miyabi.orchestration.event_log import EventLog
from miyabi.orchestration.replay_events import EFFECTS
from miyabi.orchestration.session_state import LAST_ACTIVITY, State, at, structure
from miyabi.orchestration.state_path import PathError
from miyabi.orchestration.values import moment, text
from miyabi.state import Observed

_CREATED = "session_created"
_CHECKPOINT = "checkpoint"

# Skipped events that are listed one by one; how many there are is counted beyond that.
_LISTED = 100

# checkpoint, created: an event that holds a whole state. base: the state that was given. middle: what came before the
# first event is not known.
Beginning = Literal["checkpoint", "created", "base", "middle"]


@dataclass(frozen=True, slots=True)
class Skipped(Observed):
    """An event that changed nothing: where it stands, and why."""

    place: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A state made of events.

    + state: a new one; None when there is neither a base nor an event that says anything
    + beginning: with what it began
    + applied: how many events changed it
    + skipped_count: how many could not, the first of which are ``skipped``
    + unknown: types of events that change nothing here, and how many there are of each
    + missing: what is not known of what happened, for the user, each in a line
    + last: the newest event that was applied; None when none was
    """

    state: State | None
    beginning: Beginning
    applied: int = 0
    skipped_count: int = 0
    skipped: tuple[Skipped, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    last: Event | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return self.state is not None and self.beginning != "middle" and not self.missing


@dataclass(frozen=True, slots=True)
class _Start:
    """With what a replay begins.

    + place: how many events of the log come before it, itself included
    + sequence: the number of the last event that it holds; None when it does not say
    """

    state: State
    beginning: Beginning
    place: int = 0
    sequence: int | None = None
    since: float | None = None


def replay(base: State | None, log: EventLog, session_id: str = "") -> Replayed:
    """The state that the events of one session make.

    It begins with the newest checkpoint, with the creation of the session, or with ``base`` where that is newer; with
    none of them it holds what the events say, and tells that the beginning is missing.

    + base: a state of before, whose ``persistence.checkpoint`` says from which event on it must be brought up to date
    + session_id: whose events count; "" takes that of ``base``, or all when there is none

    .. code:: python

        replay(None, read_events([("events.jsonl", content)]), "session-7").state
    """
    own_id = session_id or text(at(base, ("session", "id")))
    log = log.of(own_id) if own_id else log
    start = _start(base, log, own_id)
    state = deepcopy(start.state) if start.beginning == "base" else start.state
    telling = _Telling()
    for place, event in enumerate(log):
        if _is_before(place, event, start):
            continue
        telling.apply(state, event)
    missing = (*_missing(start, log), *telling.missing())
    if start.beginning == "middle" and not telling.applied:
        return Replayed(None, "middle", 0, telling.skipped_count, tuple(telling.skipped), telling.unknown, missing)
    _bring_up_to_date(state, telling.last, own_id)
    return Replayed(
        *(state, start.beginning, telling.applied, telling.skipped_count),
        *(tuple(telling.skipped), dict(sorted(telling.unknown.items())), missing, telling.last),
    )


def _is_before(place: int, event: Event, start: _Start) -> bool:
    """Whether what an event did is in the beginning already."""
    if start.beginning != "base":
        return place < start.place
    if start.sequence is not None and event.sequence is not None:
        return event.sequence <= start.sequence
    # A moment that is not told could be before: what is known stays as it is.
    return event.at is None or start.since is None or event.at <= start.since


def _start(base: State | None, log: EventLog, own_id: str) -> _Start:
    told = _base_start(base)
    found = _found_start(log, own_id)
    if found is None:
        return told or _Start(structure(), "middle")
    if told is None or _is_newer(found, told):
        return found
    return told


def _is_newer(found: _Start, base: _Start) -> bool:
    if found.sequence is not None and base.sequence is not None:
        return found.sequence > base.sequence
    return found.since is not None and base.since is not None and found.since > base.since


def _base_start(base: State | None) -> _Start | None:
    if base is None:
        return None
    checkpoint = at(base, ("persistence", "checkpoint"))
    checkpoint = checkpoint if isinstance(checkpoint, dict) else {}
    sequence = checkpoint.get("sequence")
    is_number = isinstance(sequence, int) and not isinstance(sequence, bool) and sequence > 0
    saved = moment(checkpoint.get("last_saved"))
    since = saved if saved is not None else moment(at(base, LAST_ACTIVITY))
    return _Start(base, "base", 0, sequence if is_number else None, since)


def _found_start(log: EventLog, own_id: str) -> _Start | None:
    """The newest event that holds a whole state of this session."""
    place = len(log)
    for event in log.events(backwards=True):
        if event.type in {_CREATED, _CHECKPOINT} and (state := _state_of(event, own_id)) is not None:
            told = event.data.get("sequence")
            sequence = told if isinstance(told, int) and not isinstance(told, bool) else event.sequence
            beginning: Beginning = "checkpoint" if event.type == _CHECKPOINT else "created"
            return _Start(state, beginning, place, sequence, event.at)
        place -= 1
    return None


def _state_of(event: Event, own_id: str) -> State | None:
    """The state that an event holds; None when it holds none, or that of another session."""
    state: Any = event.data.get("state")
    if not isinstance(state, dict) and event.type == _CREATED:
        session = event.data.get("session")
        state = structure() | {"session": session} if isinstance(session, dict) else None
    if not isinstance(state, dict):
        return None
    named = text(at(state, ("session", "id")))
    return None if own_id and named and not is_session(named, own_id) else state


def _missing(start: _Start, log: EventLog) -> tuple[str, ...]:
    """What is not known of what happened, because the log does not hold it."""
    if not len(log):
        return ()
    told: list[str] = []
    first = log.first_sequence
    if start.beginning == "middle":
        begins = f"event {first}" if first is not None else "its first event"
        told.append(f"what happened before {begins}: the log begins there, with no whole state")
    elif start.beginning == "base" and start.sequence is None and start.since is None:
        told.append("what happened after the backup: it does not say to which event it reaches")
    elif start.sequence is not None and first is not None and first > start.sequence + 1:
        told.append(f"events {start.sequence + 1} to {first - 1}: the log begins after them")
    since = start.sequence
    told += [gap.text for gap in log.gaps if since is None or gap.last > since]
    return tuple(told)


def _bring_up_to_date(state: State, last: Event | None, own_id: str) -> None:
    """Let the state say whose it is and to which event it reaches, so that no event is applied to it twice."""
    session = state.setdefault("session", {})
    if own_id and isinstance(session, dict):
        session.setdefault("id", own_id)
    if last is None:
        return
    persistence = state.setdefault("persistence", {})
    checkpoint = persistence.setdefault("checkpoint", {}) if isinstance(persistence, dict) else None
    if isinstance(checkpoint, dict):
        if last.sequence is not None:
            checkpoint["sequence"] = last.sequence
        if isinstance(last.timestamp, str):
            checkpoint["last_saved"] = last.timestamp
    lifecycle = session.setdefault("lifecycle", {}) if isinstance(session, dict) else None
    known = moment(lifecycle.get("last_activity")) if isinstance(lifecycle, dict) else None
    if isinstance(lifecycle, dict) and isinstance(last.timestamp, str) and (known or 0.0) < (last.at or 0.0):
        lifecycle["last_activity"] = last.timestamp


@dataclass(slots=True)
class _Telling:
    """What became of the events."""

    applied: int = 0
    skipped_count: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    last: Event | None = None

    def apply(self, state: State, event: Event) -> None:
        effect = EFFECTS.get(event.type)
        if effect is None:
            if event.type not in {_CREATED, _CHECKPOINT}:
                self.unknown[event.type if len(self.unknown) < _LISTED else "others"] += 1
            return
        try:
            effect(state, event)
        except PathError as error:
            self.skipped_count += 1
            if len(self.skipped) < _LISTED:
                self.skipped.append(Skipped(event.place, event.type, str(error)))
            return
        self.applied += 1
        self.last = event

    def missing(self) -> tuple[str, ...]:
        if not self.skipped_count:
            return ()
        first = self.skipped[0]
        count = "one event" if self.skipped_count == 1 else f"{self.skipped_count} events"
        return (f"{count} could not be applied, the first at {first.place}: {first.reason}",)
