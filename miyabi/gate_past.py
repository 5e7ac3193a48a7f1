"""What the gate makes of a target's history: times that make sense, and the incident that it is in. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from miyabi.gate_rules import Rules
from miyabi.gate_types import TargetHistory, Try

# So many of the latest looks and tries are considered, however many there are.
REMEMBERED = 60

# Seconds that a run takes at most: a try that is further in the future than this was seen to be by its own look.
_RUN = 900.0


@dataclass(frozen=True, slots=True)
class Past:
    """A target's history as the gate sees it: nothing is later than now, or later than what was written after it.

    + sightings, tries: as in ``TargetHistory``, without what a human has let be forgotten
    + incident: the tries since it was last healthy for long enough
    + confirming: the latest looks as far as they are known, whatever is forgotten
    + let_through: whether a human has let it through, and nothing was tried since
    """

    sightings: tuple[tuple[float, bool], ...]
    tries: tuple[Try, ...]
    incident: tuple[Try, ...]
    confirming: tuple[bool, ...]
    let_through: bool


def read_past(history: TargetHistory, rules: Rules, now: float) -> Past:
    """What there is to know of a target, from its latest looks and tries."""
    looks = history.sightings[-REMEMBERED:]
    noticed = _noticed([at for at, _ in looks], now)
    times = _in_order([at for at, _ in looks], noticed, now)
    sightings = tuple((at, damaged) for at, (_, damaged) in zip(times, looks, strict=True))
    tries = history.tries[-REMEMBERED:]
    resumed = history.resumed_at
    # One that is in the future was before a clock was set back: what came after it is not to be forgotten.
    if resumed is not None and resumed <= now:
        tries = tuple(each for each in tries if each.at > resumed)
        sightings = tuple(each for each in sightings if each[0] > resumed)
    moments = _in_order([each.at for each in tries], noticed, now)
    tries = tuple(replace(each, at=at) if at != each.at else each for at, each in zip(moments, tries, strict=True))
    return Past(
        sightings=sightings,
        tries=tries,
        incident=_incident(sightings, tries, rules.healthy_after),
        confirming=tuple(damaged for _, damaged in looks),
        let_through=resumed is not None and resumed <= now < resumed + rules.retry_after and not tries,
    )


def _noticed(looks: Sequence[float], now: float) -> float:
    """When it was first looked at after the clock had been set back; now, when that cannot be told."""
    return min(list(takewhile(lambda at: at <= now, reversed(looks))), default=now)


def _in_order(times: Sequence[float], noticed: float, now: float) -> list[float]:
    """Times that never fall: what was written before something else was not later than that.

    What lies in the future was written before the clock was set back: it counts as then, so that a clock that was wrong
    by a year holds nothing for a year.
    """
    latest = now
    ordered = []
    for at in reversed(times):
        latest = min(latest, at if at <= now else noticed if at > now + _RUN else now)
        ordered.append(latest)
    ordered.reverse()
    return ordered


def _incident(sightings: Sequence[tuple[float, bool]], tries: Sequence[Try], healthy_after: float) -> tuple[Try, ...]:
    """The tries since the target was last healthy for ``healthy_after`` seconds.

    Only what lies between two looks that found it well counts as health, and never more than half of what is needed at
    once: two looks with a night in between tell little of the night.
    """
    since: list[Try] = []
    after = 0
    healthy = 0.0
    later: float | None = None
    first = sightings[0][0] if sightings else math.inf
    for at, well, tried in _backwards(sightings, tries):
        if not well:
            later, healthy = None, 0.0
        elif later is None:
            later, healthy, after = at, 0.0, len(since)
        else:
            # Of the time between tries that are older than all looks nobody remembers what was seen in it.
            healthy += min(later - max(at, min(first, later)), healthy_after / 2)
            later = at
        if later is not None and healthy >= healthy_after:
            return tuple(reversed(since[:after]))
        if tried is not None:
            since.append(tried)
    return tuple(reversed(since))


def _backwards(
    sightings: Sequence[tuple[float, bool]], tries: Sequence[Try]
) -> Iterator[tuple[float, bool, Try | None]]:
    """Looks and tries, the latest first, each with whether all was well then; a try comes after the look of its run."""
    look = len(sightings) - 1
    for tried in reversed(tries):
        while look >= 0 and sightings[look][0] > tried.at:
            yield sightings[look][0], not sightings[look][1], None
            look -= 1
        yield tried.at, tried.restored is True, tried
    for at, damaged in reversed(sightings[: look + 1]):
        yield at, not damaged, None
