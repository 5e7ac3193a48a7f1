"""What the page, ``miyabi top`` and the metrics show of a fleet, from what runs have written down. Pure.

A card says how a host stands by the last look of a run, and by what that run has repaired since: what was proved to be
restored is well again. What no run could tell is unknown, and a look that is too old says nothing of now.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

from miyabi.availability import Proof, proved_at
from miyabi.figures import (
    Availability,
    Budget,
    CardDrift,
    Chart,
    Deed,
    HostCard,
    IncidentStory,
    LastRun,
    LevelFigures,
    Measure,
    Overview,
    Series,
)
from miyabi.gate_pauses import is_within
from miyabi.masking import masked
from miyabi.predicted import Predicted
from miyabi.records import AGENT_IS_DOWN, UPKEEP, Decided, DriftSeen, Health, Observation, RunEnded, RunStarted
from miyabi.run_outcome import Ran
from miyabi.severity import SEVERITIES

# Seconds. A look that is younger is never stale, however often runs look.
LEAST_STALE = 900.0
# Looks that a host may miss until nobody can tell any more how it stands.
MISSED = 3

# What of a text is shown: a reason may hold a whole screen.
_LONGEST = 2000

# Hosts in the order of what needs somebody's eye.
_ORDER: tuple[Health, ...] = ("drift", "unknown", "unreachable", "asleep", "healthy")
_LEVELS = (UPKEEP, "L1", "L2", "L3", "L4")

# The subjects that predictions of a measure are about.
SUBJECTS: dict[Measure, str] = {"disk_used": "disk", "memory_available": "memory"}


@dataclass(frozen=True, slots=True)
class LastLook:
    """What is recorded of the last look at a host, and of the run that looked.

    + seen: the look; None when no run has ever looked
    + ran: what that run has written down of the host until now
    + since: since when looks find the same
    + gap: the usual seconds between two looks; None is unknown
    + damaged_since: since when each thing that is wrong is so, by its target
    """

    host: str
    seen: Observation | None
    ran: Ran = field(default_factory=Ran)
    since: float | None = None
    gap: float | None = None
    damaged_since: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted of a whole stretch of history: see ``Overview``."""

    run: LastRun | None = None
    open_incidents: tuple[IncidentStory, ...] = ()
    timeline: tuple[IncidentStory, ...] = ()
    deeds: tuple[Deed, ...] = ()
    levels: tuple[LevelFigures, ...] = ()
    causes: Mapping[str, int] = field(default_factory=dict)
    charts: tuple[Chart, ...] = ()
    availability: Mapping[str, Availability] = field(default_factory=dict)
    fleet_availability: Availability = field(default_factory=Availability)
    budget: Budget = field(default_factory=lambda: Budget(99.0, 0.0, 0.0, 0.0))


def overview_of(  # noqa: PLR0913 - each is a part of it
    looks: Iterable[LastLook], figures: Figures, *, now: float, sequence: int, days: float, trouble: str = ""
) -> Overview:
    """All of it, the hosts first that need somebody's eye.

    + now: seconds since the epoch
    + sequence: grows with each change
    + days: of how many days ``figures`` are
    """
    cards = [_with_figures(card_of(each, now), figures) for each in looks]
    cards.sort(key=lambda each: (_ORDER.index(each.health) if each.health in _ORDER else 0, each.host))
    return Overview(
        at=now,
        sequence=sequence,
        hosts=tuple(cards),
        by_health=dict(Counter(each.health for each in cards)),
        run=figures.run,
        open_incidents=tuple(map(_story, figures.open_incidents)),
        timeline=tuple(map(_story, figures.timeline)),
        deeds=tuple(map(_deed, figures.deeds)),
        levels=figures.levels,
        causes=figures.causes,
        charts=figures.charts,
        availability=figures.availability,
        fleet_availability=figures.fleet_availability,
        budget=figures.budget,
        days=days,
        trouble=trouble,
    )


def card_of(look: LastLook, now: float) -> HostCard:
    """How a host stands now; one that no run has looked at has a ``seen_at`` of 0."""
    seen = look.seen
    if seen is None:
        return HostCard(look.host, "unknown", 0.0, 0.0, "no run has looked at it yet", is_stale=True)
    wrong = left(look)
    health, since = stands(look)
    is_well = health == "healthy"
    return HostCard(
        host=look.host,
        health=health,
        since=since,
        seen_at=seen.at,
        reason="" if is_well else text(seen.reason),
        level="" if is_well else _level(look, wrong),
        is_stale=is_stale(seen.at, look.gap, now),
        drifts=() if is_well else tuple(_drift(each, look) for each in wrong),
        agents=_agents(seen, look),
        sessions=seen.sessions,
        windows=seen.windows,
        panes=seen.panes,
        disk_used=seen.disk_used,
        memory_available=seen.memory_available,
        load=seen.load,
        uptime=None if seen.uptime is None else seen.uptime + max(0.0, now - seen.at),
    )


def is_stale(seen_at: float, gap: float | None, now: float) -> bool:
    """Whether a look is too old to say how a host stands.

    + gap: the usual seconds between two looks; None is unknown
    """
    return now - seen_at > max(LEAST_STALE, MISSED * (gap or 0.0))


def chart_of(series: Series, foretold: Predicted | None) -> Chart:
    """A measure as it is drawn, with what was foretold of it last; None when nothing was."""
    extreme = series.high if series.measure == "disk_used" else series.low
    points = tuple(zip(series.at, series.mean, extreme, strict=True))
    if foretold is None:
        return Chart(series.host, series.measure, points)
    does_cross = foretold.outcome == "crosses"
    return Chart(
        series.host,
        series.measure,
        points,
        foretold.limit,
        tuple(filter(None, map(_point, foretold.forecast))),
        foretold.crosses_at if does_cross else None,
        text(foretold.summary),
    )


def run_of(started: RunStarted, ended: RunEnded | None) -> LastRun:
    """The run that began last; one that did not end has no outcome."""
    if ended is None:
        return LastRun(text(started.command), started.at, "", None)
    return LastRun(text(started.command), started.at, ended.outcome, ended.seconds)


def text(told: str) -> str:
    """What a record says as it may be shown: without secrets, and not endless."""
    hidden = masked(told[: 2 * _LONGEST])
    return hidden if len(hidden) <= _LONGEST else f"{hidden[: _LONGEST - 1]}…"


def overview_json(overview: Overview) -> str:
    """An overview as JSON, which may stand in a page's script as it is: nothing in it ends one."""
    told = json.dumps(asdict(overview), default=_plain, separators=(",", ":"), ensure_ascii=True)
    return told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) else str(value)


def left(look: LastLook) -> tuple[DriftSeen, ...]:
    """What is still wrong after what the run has done, each target once."""
    ran = look.ran
    drifts = {each.target: each for each in ran.drifts}
    last = {each.target: each for each in ran.recoveries}
    back = [each for each in last.values() if each.outcome == "restored"]
    decided = {each.target: each for each in ran.decisions}
    return tuple(
        each
        for target, each in drifts.items()
        if not any(is_within(target, around.target) for around in back) and not _is_tidied(decided.get(target))
    )


def _is_tidied(decision: Decided | None) -> bool:
    """Whether it was something that nobody notices, and done: what did not come of it says the next look."""
    return decision is not None and decision.allowed and decision.does == "tidy"


def stands(look: LastLook) -> tuple[str, float]:
    """A host's health after all that the run of its last look has done, and since when; that look must be there."""
    seen = look.seen
    if seen is None:
        return "unknown", 0.0
    since = seen.at if look.since is None else look.since
    proofs = [Proof(each.target, each.outcome == "restored", each.at) for each in look.ran.recoveries]
    if seen.health == "healthy" and proofs and proved_at((), proofs) is None:
        return "drift", proofs[-1].at
    if seen.health != "drift" or not look.ran.drifts or left(look):
        return seen.health, since
    tidied = [each.at for each in look.ran.decisions if _is_tidied(each)]
    proved = proved_at((), proofs) if proofs else max(tidied, default=None)
    return ("drift", since) if proved is None else ("healthy", proved)


def _level(look: LastLook, wrong: Iterable[DriftSeen]) -> str:
    """The highest level that is needed, or was tried."""
    tried = [each.level for each in look.ran.recoveries] + [each.level for each in look.ran.decisions]
    named = [each for each in (*(drift.level for drift in wrong), *tried) if each in _LEVELS]
    return max(named, key=_LEVELS.index, default="")


def _drift(drift: DriftSeen, look: LastLook) -> CardDrift:
    decided = next((each for each in reversed(look.ran.decisions) if each.target == drift.target), None)
    gate = "" if decided is None else "allowed" if decided.allowed else text(decided.reason) or decided.rule
    return CardDrift(
        target=drift.target,
        level=drift.level,
        reason=text(drift.reason),
        cause=drift.cause,
        since=look.damaged_since.get(drift.target, drift.at),
        gate=gate,
        again_at=None if decided is None or decided.allowed else decided.again_at,
    )


def _agents(seen: Observation, look: LastLook) -> dict[str, str]:
    """The agents' conditions: what was down and was brought back runs, and what it does is not known yet."""
    back = [each.target for each in look.ran.recoveries if each.outcome == "restored"]
    told = {target: str(how) for target, how in dict(seen.agents).items()}
    return {
        target: "running" if how in AGENT_IS_DOWN and any(is_within(target, each) for each in back) else how
        for target, how in told.items()
    }


def _with_figures(card: HostCard, figures: Figures) -> HostCard:
    known = figures.availability.get(card.host)
    incidents = sum(each.host == card.host for each in figures.open_incidents)
    return replace(card, incidents=incidents, availability=None if known is None else known.percent)


def _story(story: IncidentStory) -> IncidentStory:
    # How bad something is that another version has written down, nobody can tell: that is not harmless.
    severity = story.severity if story.severity in SEVERITIES else "HIGH"
    return replace(story, severity=severity, summary=text(story.summary), done=tuple(map(_deed, story.done)))


def _deed(deed: Deed) -> Deed:
    return replace(deed, why=text(deed.why))


def _point(told: Any) -> tuple[float, float, float, float] | None:
    """A point of a forecast; None when what was kept is none."""
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) != 4:
        return None
    if not all(isinstance(each, int | float) and isfinite(each) for each in told):
        return None
    at, value, low, high = told
    return (float(at), float(value), float(low), float(high))
