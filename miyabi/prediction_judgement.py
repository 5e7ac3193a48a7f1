"""Which predictions are worth telling, and which are over. Pure.

A prediction counts when two in a row say it, or when it would come true before the next one is made: one that is there
and gone again is told to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from miyabi.monitoring import comes_within
from miyabi.predicted import Predicted
from miyabi.severity import Circumstances, severity_of
from miyabi.subjects import forecast_of
from miyabi.verdict import FORETOLD, Verdict

# So many of the earlier crossings must have been foretold, and so many of the earlier alarms may have been false, for a
# prediction to be believed however far ahead it is.
GOOD_FORETOLD = 0.8
GOOD_FALSE = 0.1
# What is nearer than this share of the horizon is told in any case.
NEAR = 0.25

_UNKNOWN = "too-few-samples"


@dataclass(frozen=True, slots=True)
class Crossing:
    """That a measure of a host reaches its limit, and when.

    + subject: ``disk`` or ``memory``
    + at: when it was foretold
    + limit: in percent; None is unknown
    """

    host: str
    subject: str
    at: float
    crosses_at: float
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was foretold at an earlier look, as in ``miyabi.records.Predicted``."""

    at: float
    host: str
    subject: str
    kind: str
    outcome: str
    crosses_at: float | None = None
    latest: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What some predictions come to.

    + verdicts: what counts; those that are told in the log alone are LOW
    + new: ``(host, target)`` of those that count since now
    + well: ``(host, target)`` of what is not foretold any more
    + passed: ``(host, target)`` of what is past its limit by now, so that others tell it
    + crossings: the measures that reach their limit at some time, however far ahead
    """

    verdicts: tuple[Verdict, ...]
    new: frozenset[tuple[str, str]]
    well: frozenset[tuple[str, str]]
    passed: frozenset[tuple[str, str]]
    crossings: tuple[Crossing, ...]


def judge_predictions(
    predicted: Iterable[Predicted], earlier: Iterable[Earlier], *, horizon: float, now: float, every: float | None
) -> Judged:
    """What is to be made of the predictions of one look.

    + earlier: what was foretold before, oldest first
    + horizon: seconds; what is foretold for later is not told
    + every: seconds until the next look; None is unknown
    """
    past = _by_case(earlier)
    verdicts: list[Verdict] = []
    crossings: list[Crossing] = []
    new, well, passed = set(), set(), set()
    for each in predicted:
        case = (each.host, forecast_of(each.subject, each.kind))
        known = past.get(case, ())
        if is_passed(each):
            passed.add(case)
            continue
        if each.outcome == _UNKNOWN:
            continue
        told = Earlier(now, each.host, each.subject, each.kind, each.outcome, _moment(each), each.latest)
        if each.kind == "crossing" and told.crosses_at is not None and _counts(told, known, float("inf"), every):
            crossings.append(Crossing(each.host, each.subject, now, told.crosses_at, each.limit))
        if not _says(told, horizon):
            well.add(case)
        elif _counts(told, known, horizon, every):
            verdicts.append(_verdict(each, told, horizon))
            if not _was_told(known, horizon, every):
                new.add(case)
    return Judged(tuple(verdicts), frozenset(new), frozenset(well), frozenset(passed), tuple(crossings))


def is_passed(told: Predicted) -> bool:
    """Whether a measure is past the limit that it is foretold to reach."""
    if told.kind != "crossing" or told.value is None or told.limit is None:
        return False
    return told.value < told.limit if told.subject == "memory" else told.value >= told.limit


def is_good(error: Mapping[str, object]) -> bool:
    """Whether earlier predictions came true: most of what came was foretold, and hardly anything else.

    + error: as in ``miyabi.records.Predicted``; without an earlier case nobody knows
    """
    cases, foretold, false = (_number(error.get(name)) for name in ("cases", "foretold", "false_alarms"))
    if cases <= 0:
        return False
    alarms = foretold + false
    return foretold >= GOOD_FORETOLD * cases and false <= GOOD_FALSE * alarms


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0


def _by_case(earlier: Iterable[Earlier]) -> dict[tuple[str, str], list[Earlier]]:
    found: dict[tuple[str, str], list[Earlier]] = {}
    for each in earlier:
        # What could not be told between two looks says neither.
        if each.outcome != _UNKNOWN:
            found.setdefault((each.host, forecast_of(each.subject, each.kind)), []).append(each)
    return found


def _moment(told: Predicted) -> float | None:
    return told.earliest if told.crosses_at is None else told.crosses_at


def _says(told: Earlier, horizon: float) -> bool:
    """Whether a prediction says that it comes within the horizon; one without a moment says that it comes."""
    if told.outcome != "crosses" or told.crosses_at is None:
        return told.outcome == "crosses"
    return comes_within(horizon, told.at, told.crosses_at, told.latest)


def _is_soon(told: Earlier, every: float | None) -> bool:
    """Whether it comes before the next look could say it again."""
    return every is not None and told.crosses_at is not None and _says(told, every)


def _counts(told: Earlier, known: Sequence[Earlier], horizon: float, every: float | None) -> bool:
    return _says(told, horizon) and (_is_soon(told, every) or bool(known and _says(known[-1], horizon)))


def _was_told(known: Sequence[Earlier], horizon: float, every: float | None) -> bool:
    twice = any(_says(first, horizon) and _says(second, horizon) for first, second in pairwise(known))
    return twice or any(_is_soon(each, every) for each in known)


def _verdict(each: Predicted, told: Earlier, horizon: float) -> Verdict:
    near = told.crosses_at is None or told.crosses_at - told.at <= NEAR * horizon
    # That an agent will be at its usage limit is for the log, as that it is there.
    sure = each.kind != "usage-limit" and (near or is_good(each.error))
    return Verdict(
        host=each.host,
        target=forecast_of(each.subject, each.kind),
        kind=FORETOLD,
        severity=severity_of(Circumstances(kind=FORETOLD, sure=sure)),
        summary=each.summary or f"{each.subject} is foretold to be in trouble",
    )
