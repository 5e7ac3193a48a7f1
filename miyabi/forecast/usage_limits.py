"""Agents that will hit their usage limit: what one may use up in one go is learned from what it used before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

LIMITED, WORKING, UNKNOWN = "limited", "working", "unknown"

# A condition holds until the next look, and at most so many seconds.
_HOLDS = 900.0
# Limits that were hit before, without which nothing is said.
FEWEST = 3
# By how much the working times may differ, as a share of the middle one.
_DIFFER = 0.35
# How much it works now is told by its last hours.
_LATELY = 3 * 3600.0
_IDLE = 0.05
# It has worked so much longer than ever that what was learned does not hold any more.
_BEYOND = 1.6


@dataclass(frozen=True, slots=True)
class UsageLimit:
    """What is foretold of one agent.

    + hits_at, earliest, latest: when it hits its limit; None unless it ``crosses``
    + worked: seconds that it has worked since the last limit ended
    + usual: seconds that it worked before it hit one, typically; None when that is not known
    + hits: how many it has hit
    """

    outcome: Literal["crosses", "no-trend", "too-few-samples"]
    worked: float
    usual: float | None
    hits: int
    hits_at: float | None = None
    earliest: float | None = None
    latest: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Stretches:
    """What an agent did, from limit to limit.

    + worked: seconds that it worked from the end of each limit to the next hit
    + hit_at: when it hit each of these
    + since: seconds that it has worked since the last one ended
    + lately: the share of the last hours in which it worked
    + is_limited: whether it is at its limit now
    """

    worked: tuple[float, ...]
    hit_at: tuple[float, ...]
    since: float
    lately: float
    is_limited: bool


def read_conditions(looks: Iterable[tuple[float, str]], now: float) -> Stretches:
    """What an agent did.

    + looks: the moment of each look and the condition that it saw, oldest first; a clock that was set back adds nothing
    """
    worked: list[float] = []
    hit_at: list[float] = []
    total = lately = seen = 0.0
    is_limited, has_ended = False, False
    last: tuple[float, str] | None = None
    for at, condition in (*looks, (now, "")):
        if last is not None:
            begin, before = last
            held = min(max(0.0, at - begin), _HOLDS)
            if before == WORKING:
                total += held
            if begin > now - _LATELY:
                seen += held
                lately += held if before == WORKING else 0.0
        if condition == LIMITED and not is_limited:
            # What came before the first limit that was seen began before anybody looked.
            if has_ended and total > 0:
                worked.append(total)
                hit_at.append(at)
            is_limited = True
        elif condition not in {LIMITED, UNKNOWN, ""} and is_limited:
            is_limited, has_ended, total = False, True, 0.0
        last = (at, condition)
    return Stretches(tuple(worked), tuple(hit_at), total, lately / seen if seen else 0.0, is_limited)


def usage_foretells(seen: Stretches, now: float) -> UsageLimit:
    """When an agent hits its usage limit."""
    hits = len(seen.worked)
    usual, spread = _typical(seen.worked)
    told = UsageLimit("no-trend", seen.since, usual, hits)
    if hits < FEWEST or usual is None:
        return UsageLimit("too-few-samples", seen.since, usual, hits, why=f"{hits} of {FEWEST} limits seen")
    if seen.is_limited:
        return UsageLimit("no-trend", seen.since, usual, hits, why="it is at its limit now")
    if spread > _DIFFER * usual:
        return UsageLimit("no-trend", seen.since, usual, hits, why="its limits come after very different times")
    if seen.lately < _IDLE:
        return UsageLimit("no-trend", seen.since, usual, hits, why="it does not work now")
    if seen.since > _BEYOND * usual:
        return UsageLimit("no-trend", seen.since, usual, hits, why="it has worked longer than ever without one")
    pace = seen.lately
    at, early, late = (now + max(0.0, usual + each - seen.since) / pace for each in (0.0, -1.5 * spread, 1.5 * spread))
    return UsageLimit(
        "crosses", told.worked, usual, hits, hits_at=at, earliest=min(early, at), latest=max(late, at + 0.1 * usual)
    )


def limits_tested(looks: Sequence[tuple[float, str]], now: float) -> dict[str, float | int | None]:
    """How that did on an agent's own past, as ``Predicted.error`` has it: said when half of the time was worked."""
    seen = read_conditions(looks, now)
    cases = foretold = 0
    off: list[float] = []
    for place in range(FEWEST, len(seen.worked)):
        usual, spread = _typical(seen.worked[:place])
        if usual is None or spread > _DIFFER * usual:
            continue
        cases += 1
        differs = seen.worked[place] - usual
        off.append(abs(differs) / 3600)
        foretold += abs(differs) <= max(1.5 * spread, 0.1 * usual)
    if not cases:
        return {}
    return {
        "cases": cases,
        "foretold": foretold,
        "false_alarms": cases - foretold,
        "median_hours_off": round(median(off), 2),
    }


def _typical(worked: Sequence[float]) -> tuple[float | None, float]:
    if not worked:
        return None, 0.0
    middle = median(worked)
    return middle, max(1.4826 * median(abs(each - middle) for each in worked), 0.05 * middle)
