"""What is due after a scheduled run, by what fleet.yaml says and what was done before. Pure.

Nothing of it is needed for a recovery: each task is a command of its own, within its own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from miyabi.monitoring import Monitoring, Period
from miyabi.reports.span import before, due_at, last_over

METRICS = "metrics"
PREDICTIONS = "predictions"
REPORTS = "reports"
TRACES = "traces"

# Seconds until something that came to no good end is tried again.
RETRY = 3600.0

# Seconds by which a look ahead may come early: schedulers are never quite on time.
_EARLY = 30.0

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@dataclass(frozen=True, slots=True)
class Mark:
    """When a task was begun last, and when it last came to a good end; None is never."""

    tried: float | None = None
    done: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do after a run.

    + arguments: of the ``miyabi`` command
    + seconds: how long it may take
    + good: the exit codes of a good end
    + is_marked: whether it is written down when it was done, because it is not due after each run
    """

    name: str
    arguments: tuple[str, ...]
    seconds: float
    good: tuple[int, ...] = (0,)
    is_marked: bool = False


def due(
    monitoring: Monitoring,
    marks: Mapping[str, Mark],
    now: float,
    environment: Mapping[str, str],
    zone: tzinfo | None = None,
) -> tuple[Task, ...]:
    """What is to be done now, in this order.

    + marks: by the names of the tasks
    + now: seconds since the epoch
    + zone: of reports' time of day; None is this machine's
    """
    tasks = []
    if monitoring.textfile is not None:
        tasks.append(Task(METRICS, ("metrics", "--textfile", monitoring.textfile), 20.0))
    if any(environment.get(name) for name in _ENDPOINTS):
        tasks.append(Task(TRACES, ("trace", "--since-last"), 20.0))
    every = monitoring.predictions.every
    if every is not None and _is_due(marks.get(PREDICTIONS), now - every + _EARLY, min(every, RETRY), now):
        # Its exit code says whether something is foretold.
        tasks.append(Task(PREDICTIONS, ("predict", "--keep", "--tell"), 120.0, good=(0, 2), is_marked=True))
    begins = [_latest(period, monitoring.reports.at, now, zone) for period in monitoring.reports.periods]
    if begins and _is_due(marks.get(REPORTS), max(begins), RETRY, now):
        tasks.append(Task(REPORTS, ("report", "--due"), 120.0, is_marked=True))
    return tuple(tasks)


def marks_of(told: Any) -> dict[str, Mark]:
    """The marks that a file holds as JSON; what makes no sense is none."""
    found = {}
    for name, each in told.items() if isinstance(told, Mapping) else ():
        if isinstance(each, Mapping):
            found[str(name)] = Mark(_moment(each.get("tried")), _moment(each.get("done")))
    return found


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_due(mark: Mark | None, since: float, retry: float, now: float) -> bool:
    """Whether something was not done since a moment, and not tried a moment ago either."""
    if mark is None:
        return True
    # What lies in the future was written before the clock was set back.
    if mark.done is not None and since <= mark.done <= now:
        return False
    return mark.tried is None or not now - retry + _EARLY < mark.tried <= now


def _latest(period: Period, minutes: int, now: float, zone: tzinfo | None) -> float:
    """When the last report of a period became due."""
    span = last_over(period, now, zone)
    moment = due_at(span, minutes, zone)
    return moment if moment <= now else due_at(before(span, zone), minutes, zone)
