"""What happened in a fleet, as one line of events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from miyabi.records import Decided, IncidentChanged, Record, Recovered, RunEnded, RunStarted, Signalled
from miyabi.signals import OUTGOING
from miyabi.target_name import TargetName, covers
from miyabi.words import counted, iso

EventKind = Literal["recovery", "decision", "run", "signal", "incident"]

# What of a record is a moment.
_MOMENTS = frozenset({"again_at", "opened_at", "told_at", "healthy_since"})

Tone = Literal["good", "bad", "held", "plain"]

_OUTCOMES: dict[str, Tone] = {"clean": "plain", "restored": "good", "held": "held", "failed": "bad"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    + until: of several that are told as one, when the last of them was
    + times: how many are told as one
    + tone: ``good``, ``bad``, ``held`` or ``plain``
    + same: what two events share that may be told as one
    + record: the record behind it, or the newest of several
    """

    at: float
    until: float
    kind: EventKind
    host: str
    target: str
    words: str
    tone: Tone
    same: tuple[str, ...]
    record: Record
    times: int = 1


def events_of(records: Iterable[Record], ends: Mapping[str, RunEnded], about: TargetName | None = None) -> list[Event]:
    """The events of some records, newest first.

    + ends: how runs ended, by run
    + about: tell of this target alone, and of what holds it or is in it; None is everything
    """
    told = [event for each in records if (event := _event(each, ends)) is not None]
    chosen = [each for each in told if about is None or _concerns(each, about)]
    return sorted(chosen, key=lambda each: each.at, reverse=True)


def _concerns(event: Event, about: TargetName) -> bool:
    named = TargetName(event.host, event.target)
    if event.kind == "run":
        return not about.host
    return covers(about, named) or (bool(event.host) and covers(named, about))


def _event(record: Record, ends: Mapping[str, RunEnded]) -> Event | None:
    if isinstance(record, RunStarted):
        return _of_run(record, ends.get(record.run))
    if isinstance(record, Recovered):
        return _of_recovery(record)
    if isinstance(record, Decided):
        return _of_decision(record)
    if isinstance(record, Signalled):
        return _made(record, "signal", f"signal {record.signal}", "plain")
    if isinstance(record, IncidentChanged):
        words = f"incident {record.change}, {record.severity}: {record.summary}"
        return _made(record, "incident", words, "good" if record.change == "closed" else "bad")
    return None


def _of_run(record: RunStarted, end: RunEnded | None) -> Event:
    if end is None:
        return _made(record, "run", f"run of {record.command}: no end is known", "plain", came_to="?")
    words = f"run of {record.command}: {end.outcome}, {counted(end.hosts, 'host')}, {end.seconds:.1f} s"
    return _made(record, "run", words, _OUTCOMES[end.outcome], came_to=end.outcome)


def _of_recovery(record: Recovered) -> Event:
    how = "restored" if record.outcome == "restored" else "NOT restored"
    tries = "" if record.first_try else ", not at the first try"
    why = f": {record.reason}" if record.reason else ""
    cause = "" if record.cause in {"", "unknown"} else f", cause {record.cause}"
    words = f"{record.level} {how} in {record.seconds:.1f} s{tries}{cause}{why}"
    return _made(record, "recovery", words, "good" if record.outcome == "restored" else "bad")


def _of_decision(record: Decided) -> Event | None:
    if record.allowed:
        # What came of it is an event of its own.
        return None
    return _made(record, "decision", f"held by {record.rule}: {record.reason}", "held", came_to=record.rule)


def _made(record: Record, kind: EventKind, words: str, tone: Tone, *, came_to: str = "") -> Event:
    """An event.

    + came_to: by what it may be told as one with others; "" stands for itself
    """
    host, target = getattr(record, "host", ""), getattr(record, "target", "")
    same = (kind, host, target, came_to) if came_to and tone != "bad" else (record.event,)
    return Event(record.at, record.at, kind, host, target, words, tone, same, record)


def together(events: Sequence[Event]) -> list[Event]:
    """The events for a reader, newest first, with those told as one that say the same again and again.

    What others are told of a run (``RECOVERY_COMPLETE`` and its like) is left out: it stands in the run's other events.

    Two holds of one target by one rule are the same while nothing else happened to it in between; two runs, while none
    came to something else.
    """
    latest: dict[tuple[str, str, str], int] = {}
    found: list[Event] = []
    for event in events:
        if isinstance(event.record, Signalled) and event.record.signal in OUTGOING:
            continue
        line = ("run", "", "") if event.kind == "run" else ("", event.host, event.target)
        place = latest.get(line)
        if place is not None and found[place].same == event.same:
            newer = found[place]
            found[place] = replace(newer, at=event.at, times=newer.times + 1)
        else:
            latest[line] = len(found)
            found.append(event)
    return found


def event_json(event: Event) -> dict[str, Any]:
    """An event as ``--json`` tells it."""
    known = {name: iso(value) if name in _MOMENTS else value for name, value in asdict(event.record).items()}
    details = {name: value for name, value in known.items() if name not in {"event", "run", "at", "host", "target"}}
    return {
        "at": iso(event.at),
        "kind": event.kind,
        "run": event.record.run,
        "host": event.host,
        "target": event.target,
        "words": event.words,
        "details": details,
    }
