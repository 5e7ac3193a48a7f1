"""Incidents: each opened once, told again at its interval, closed when it is well for long enough. Pure.

A run says what is wrong at its end and what it found well; ``judge`` makes of that, and of what was open before, the
changes. A host that nobody looked at changes nothing: unknown is not healthy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

from miyabi.alert_rules import STILL_OPEN, Stop
from miyabi.records import IncidentChanged, Severity
from miyabi.severity import rank
from miyabi.verdict import STOP, Case, Looked, Verdict, case_of, covered

_Change = Literal["opened", "changed", "still-open", "closed"]


def is_told(change: IncidentChanged) -> bool:
    """Whether a change is to be told, and not only to be remembered."""
    return change.told_at == change.at


def judge(  # noqa: PLR0913 - what was, what is, and the rules by their names
    earlier: Sequence[IncidentChanged],
    verdicts: Iterable[Verdict],
    healthy: Collection[tuple[str, str]],
    *,
    run: str,
    now: float,
    healthy_after: float = 600.0,
    still_open: float | Mapping[Severity, float] = STILL_OPEN,
    stop: Stop | None = None,
    wide_only: bool = False,
) -> tuple[IncidentChanged, ...]:
    """What changes in the incidents by what a run found.

    + earlier: the incidents that are open: the last record of each
    + verdicts: what is wrong
    + healthy: ``(host, target)`` of what was looked at and is well; ``(host, "")`` is a host on which all is well, or
      that is no longer of the fleet, ``("", "")`` the whole fleet
    + healthy_after: seconds for which it must be well until it is closed
    + still_open: seconds between two reminders, for all or by severity
    + stop: from how many critical incidents on everything is stopped; None is never
    + wide_only: judge the incidents that cover others alone, with all that the run knows of all hosts: for the end of a
      run that has judged its hosts one by one
    """
    looked = Looked.of(verdicts, healthy)
    moment = _Moment(run, now, healthy_after, still_open)
    incidents = _Incidents({case_of(each): each for each in earlier})
    cases = list(dict.fromkeys([*incidents.open, *looked.wrong]))
    wide = [case for case in cases if _is_wide(incidents.open.get(case), looked.wrong.get(case))]
    for case in wide:
        incidents.change(case, moment.judged(incidents.open.get(case), looked.wrong.get(case), looked))
    explained = {name for case in wide if case in incidents.open for name in incidents.open[case].covers}
    for case in cases:
        before = incidents.open.get(case)
        if case in wide or case == STOP:
            continue
        if covered(case[0], case[1]) in explained:
            incidents.change(case, before and moment.silent(before, "closed"))
        elif not wide_only and (before is not None or case[0] not in explained):
            incidents.change(case, moment.judged(before, looked.wrong.get(case), looked))
    if stop is not None:
        incidents.change(STOP, moment.stopped(incidents.open, stop))
    return tuple(incidents.changes)


def closed_silently(before: IncidentChanged, *, run: str, now: float) -> IncidentChanged:
    """The end of an incident of which nothing more is told: another one says it now, or nobody can tell any more."""
    return _Moment(run, now, 0.0, STILL_OPEN).silent(before, "closed")


def stopped_until(earlier: Iterable[IncidentChanged], stop: Stop, now: float) -> float | None:
    """Until when everything is stopped; None when it is not. A stop ends, however long its incident stays open."""
    ends = [min(each.opened_at, now) + stop.seconds for each in earlier if each.kind == "emergency-stop"]
    return max((end for end in ends if end > now), default=None)


def open_after(earlier: Iterable[IncidentChanged], changes: Iterable[IncidentChanged]) -> tuple[IncidentChanged, ...]:
    """The incidents that are open after some changes."""
    left = {each.incident: each for each in (*earlier, *changes)}
    return tuple(each for each in left.values() if each.change != "closed")


def _is_wide(before: IncidentChanged | None, verdict: Verdict | None) -> bool:
    """Whether a case covers others."""
    return bool((before and before.covers) or (verdict and verdict.covers and verdict.severity))


class _Incidents:
    """The incidents that are open while a run is judged, and what has changed."""

    def __init__(self, earlier: dict[Case, IncidentChanged]) -> None:
        self.open = earlier
        self.changes: list[IncidentChanged] = []

    def change(self, case: Case, change: IncidentChanged | None) -> None:
        if change is None:
            return
        self.changes.append(change)
        self.open[case] = change
        if change.change == "closed":
            del self.open[case]


@dataclass(frozen=True, slots=True)
class _Moment:
    """One judgement: in which run, when, and by which rules."""

    run: str
    now: float
    healthy_after: float
    still_open: float | Mapping[Severity, float]

    def judged(self, before: IncidentChanged | None, verdict: Verdict | None, looked: Looked) -> IncidentChanged | None:
        """What becomes of one case."""
        if before is None:
            return None if verdict is None else self._opened(verdict)
        if verdict is None:
            return self._well(before) if looked.is_well(before) else None
        return self._repaired(before, verdict) if verdict.kind == "repaired" else self._wrong(before, verdict)

    def stopped(self, incidents: Mapping[Case, IncidentChanged], stop: Stop) -> IncidentChanged | None:
        """What becomes of the emergency stop."""
        before = incidents.get(STOP)
        critical = [
            each
            for case, each in incidents.items()
            if case != STOP and each.severity == "CRITICAL" and each.healthy_since is None
        ]
        if len(critical) < stop.criticals:
            return None if before is None else self._well(before)
        minutes = f"{stop.seconds / 60:g} min"
        summary = f"{stop.criticals} or more critical incidents at once: nothing is repaired for {minutes}"
        verdict = Verdict(host="", target="", kind="emergency-stop", severity="CRITICAL", summary=summary)
        return self._opened(verdict) if before is None else self._wrong(before, verdict)

    def _opened(self, verdict: Verdict) -> IncidentChanged | None:
        if verdict.severity is None or verdict.severity == "LOW":
            return None
        place = "\0".join((self.run, *case_of(verdict), repr(self.now)))
        incident = f"I{sha256(place.encode(errors='surrogatepass')).hexdigest()[:10]}"
        return IncidentChanged(
            event=self._event(incident, "opened"),
            run=self.run,
            at=self.now,
            incident=incident,
            change="opened",
            host=verdict.host,
            target=verdict.target,
            kind=verdict.kind,
            severity=verdict.severity,
            summary=verdict.summary,
            cause=verdict.cause,
            opened_at=self.now,
            told_at=self.now,
            # What is repaired already has an incident only so that it is told once: it is watched from now on.
            healthy_since=self.now if verdict.kind == "repaired" else None,
            covers=verdict.covers,
            told_severity=verdict.severity,
        )

    def _wrong(self, before: IncidentChanged, verdict: Verdict) -> IncidentChanged | None:
        past = self._not_in_the_future(before)
        now = replace(past, healthy_since=None)
        if verdict.severity is not None and verdict.severity != "LOW":
            covers = tuple(dict.fromkeys((*past.covers, *verdict.covers)))
            cause = past.cause if verdict.cause == "unknown" else verdict.cause
            now = replace(now, kind=verdict.kind, severity=verdict.severity, cause=cause, covers=covers)
        # A text that differs alone is not worth a record in each run.
        changed = now != before
        if verdict.severity == now.severity:
            now = replace(now, summary=verdict.summary)
        if rank(now.severity) > rank(past.told_severity or past.severity):
            return self._told(now, "changed")
        if self._is_due(now):
            return self._told(now, "still-open")
        return self.silent(now, "changed") if changed else None

    def _repaired(self, before: IncidentChanged, verdict: Verdict) -> IncidentChanged | None:
        """It was wrong at the first look, and is not any more: it has to be well from now on."""
        past = replace(self._not_in_the_future(before), healthy_since=self.now)
        if past.kind == "repaired" and self._is_due(past):
            return self._told(replace(past, summary=verdict.summary), "still-open")
        return self._well(past) or self.silent(past, "changed")

    def _well(self, before: IncidentChanged) -> IncidentChanged | None:
        past = self._not_in_the_future(before)
        since = self.now if past.healthy_since is None else past.healthy_since
        now = replace(past, healthy_since=since)
        if self.now - since >= self.healthy_after:
            return self.silent(now, "closed") if now.kind == "repaired" else self._told(now, "closed")
        return self.silent(now, "changed") if now != before else None

    def _is_due(self, incident: IncidentChanged) -> bool:
        every = self.still_open
        if not isinstance(every, int | float):
            every = every.get(incident.severity, STILL_OPEN)
        return self.now - incident.told_at >= every

    def _not_in_the_future(self, before: IncidentChanged) -> IncidentChanged:
        """The clock was set back: what seems to lie ahead counts as now, and is written so."""
        since = before.healthy_since
        return replace(
            before,
            opened_at=min(before.opened_at, self.now),
            told_at=min(before.told_at, self.now),
            healthy_since=None if since is None else min(since, self.now),
        )

    def _told(self, incident: IncidentChanged, change: _Change) -> IncidentChanged:
        return replace(self.silent(incident, change), told_at=self.now, told_severity=incident.severity)

    def silent(self, incident: IncidentChanged, change: _Change) -> IncidentChanged:
        """A change that is only remembered."""
        return replace(
            incident,
            event=self._event(incident.incident, change),
            run=self.run,
            at=self.now,
            change=change,
            # Never exactly now, which is what tells it from one that is told.
            told_at=min(incident.told_at, math.nextafter(self.now, -math.inf)),
        )

    def _event(self, incident: str, change: _Change) -> str:
        return f"{self.run}:{incident}:{change}:{self.now!r}"
