"""All that is foretold of a fleet, from its history: disks and memory, restarts, usage limits."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from miyabi.figures import MEASURES, Measure
from miyabi.forecast.backtest import Backtest, backtest
from miyabi.forecast.crossing import Forecast, predict_series
from miyabi.forecast.failures import Restarts, failures_tested, restarts_foretell
from miyabi.forecast.samples import DAY, LOOK_BACK, Samples
from miyabi.forecast.usage_limits import (
    LIMITED,
    UsageLimit,
    limits_tested,
    read_conditions,
    usage_foretells,
)
from miyabi.forecast.words import crossing_words, failure_words, usage_words
from miyabi.predicted import Predicted
from miyabi.records import Recovered
from miyabi.spec import Limits, Spec
from miyabi.subjects import AGENT, is_subject

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from miyabi.history import History

# Seconds of a stretch; for a back-test of more than a month.
STEP, LONG_STEP = 900.0, 3600.0
# Looks of a measure's own past that are replayed beside each prediction, and of all measures in a back-test.
_BESIDE, _ALL = 24, 12_000

SUBJECTS: dict[Measure, str] = {"disk_used": "disk", "memory_available": "memory"}
_SERVER = "server "
# The cause of what a host, which was never seen before, does not have: no restart.
_MISSING = "missing"


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What the measures of a host must not reach, in percent."""

    disk: float = 90.0
    memory: float = 10.0

    def of(self, measure: Measure) -> float:
        """The limit of one measure."""
        return self.disk if measure == "disk_used" else self.memory


def limits_of(spec: Spec | None) -> HostLimits:
    """The limits that a host's spec sets, or the usual ones."""
    limits = (None if spec is None else spec.limits) or Limits()
    return HostLimits(limits.disk.critical, limits.memory_available.critical)


def predictions_of(  # noqa: PLR0913 - what is asked, and of whom, by their names
    history: History,
    limits: Mapping[str, HostLimits],
    now: float,
    *,
    run: str,
    horizon: float = DAY,
    tested: bool = True,
) -> tuple[Predicted, ...]:
    """What is foretold of each host.

    + limits: of the hosts that are meant, by name
    + run: the name of the run that says so
    + horizon: seconds: what the back-test beside each prediction goes by, and what is drawn
    + tested: whether each says how it did on its own past, which costs the most
    """
    found = [
        *_crossings(history, limits, now, run, horizon, tested=tested),
        *_failures(history, limits, now, run),
        *_usage_limits(history, limits, now, run),
    ]
    return tuple(sorted(found, key=lambda each: (each.host, each.kind, each.subject)))


def backtest_of(
    history: History, limits: Mapping[str, HostLimits], since: float, until: float, horizon: float
) -> dict[tuple[str, Measure], Backtest]:
    """How the predictions of disks and memory would have done, by host and measure."""
    from miyabi.history_figures import usage_series  # noqa: PLC0415 - SQLAlchemy is dear

    step = STEP if until - since <= 31 * DAY else LONG_STEP
    series = usage_series(history, since, until, step, hosts=list(limits))
    most = max(40, _ALL // max(1, len(series)))
    return {
        (host, measure): backtest(each, limits[host].of(measure), horizon, most=most)
        for (host, measure), each in series.items()
    }


def _crossings(  # noqa: PLR0913 - see predictions_of
    history: History, limits: Mapping[str, HostLimits], now: float, run: str, horizon: float, *, tested: bool
) -> Iterator[Predicted]:
    from miyabi.history_figures import usage_series  # noqa: PLC0415 - see backtest_of

    series = usage_series(history, now - LOOK_BACK, now + 1, STEP, hosts=list(limits))
    for host, wanted in limits.items():
        for measure in MEASURES:
            seen = series.get((host, measure))
            samples = Samples([], [], falling=measure == "memory_available") if seen is None else Samples.of(seen)
            told = predict_series(samples, wanted.of(measure), horizon, now)
            error: dict[str, Any] = {}
            if tested and told.samples:
                most = _BESIDE if told.crosses_at is None else 4 * _BESIDE
                error = tested_error(backtest(samples, wanted.of(measure), horizon, most=most))
            yield _crossing(host, measure, told, error, now, run)


def file_predicted(name: str, samples: Samples, limit: float, horizon: float, now: float) -> Predicted:
    """What is foretold of a series of somebody's own: of no host, with the file's name as what it is about."""
    told = predict_series(samples, limit, horizon, now)
    error = tested_error(backtest(samples, limit, horizon))
    return Predicted(
        **_crossing_values(told, error),
        event=name,
        run="",
        at=now,
        host="",
        subject=name,
        summary=crossing_words("it", told, error, now, falling=samples.falling),
    )


def tested_error(told: Backtest) -> dict[str, Any]:
    """What a back-test says of a prediction; {} when there was not enough to go by."""
    return told.as_error() if told.days >= 1 else {}


def _crossing(  # noqa: PLR0913, PLR0917 - what a record consists of
    host: str, measure: Measure, told: Forecast, error: Mapping[str, Any], now: float, run: str
) -> Predicted:
    subject = SUBJECTS[measure]
    return Predicted(
        **_crossing_values(told, error),
        event=f"{run}-{host}-{subject}",
        run=run,
        at=now,
        host=host,
        subject=subject,
        summary=crossing_words(subject, told, error, now, falling=measure == "memory_available"),
    )


def _crossing_values(told: Forecast, error: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "crossing",
        "outcome": told.outcome,
        "crosses_at": told.crosses_at,
        "earliest": told.earliest,
        "latest": told.latest,
        "value": None if told.value is None else round(told.value, 2),
        "limit": told.limit,
        "samples": told.samples,
        "method": told.method,
        "forecast": tuple([round(at), *(round(each, 2) for each in rest)] for at, *rest in told.path),
        "error": error,
    }


def _failures(history: History, hosts: Collection[str], now: float, run: str) -> Iterator[Predicted]:
    restarts: dict[tuple[str, str], list[float]] = {}
    since: dict[str, float] = {}
    for each in history.records(Recovered, since=now - LOOK_BACK, until=now + 1):
        if each.host not in hosts or each.cause == _MISSING:
            continue
        if each.target.startswith(_SERVER):
            subject = each.target
        elif not is_subject(each.target) and "." in each.target:
            subject = AGENT + each.target
        else:
            continue
        restarts.setdefault((each.host, subject), []).append(each.at)
    if restarts:
        since = _known_since(history, now)
    for (host, subject), at in sorted(restarts.items()):
        known = max(now - LOOK_BACK, min([since.get(host, now), *at]))
        told = restarts_foretell(at, known, now)
        error = failures_tested(at, known, now) if told.outcome == "crosses" else {}
        yield _failure(host, subject, told, error, (now, run))


def _failure(host: str, subject: str, told: Restarts, error: Mapping[str, Any], when: tuple[float, str]) -> Predicted:
    now, run = when
    return Predicted(
        event=f"{run}-{host}-{subject}-failure",
        run=run,
        at=now,
        host=host,
        subject=subject,
        kind="failure",
        outcome=told.outcome,
        crosses_at=told.next_at,
        earliest=told.earliest,
        latest=told.latest,
        value=float(told.recent),
        limit=told.likely,
        samples=told.recent,
        method="poisson",
        error=error,
        summary=failure_words(subject, told, error, now),
    )


def _known_since(history: History, now: float) -> dict[str, float]:
    """When each host was looked at first, within the time that counts."""
    from sqlalchemy import func, select  # noqa: PLC0415 - dear

    from miyabi.history_tables import TABLES  # noqa: PLC0415
    from miyabi.records import Observation  # noqa: PLC0415

    seen = TABLES[Observation].c
    query = select(seen.host, func.min(seen.at)).where(seen.at >= now - LOOK_BACK, seen.at <= now).group_by(seen.host)
    return history.ask(lambda connection: {host: float(at) for host, at in connection.execute(query)})


def _usage_limits(history: History, hosts: Collection[str], now: float, run: str) -> Iterator[Predicted]:
    for (host, target), looks in sorted(_conditions(history, hosts, now).items()):
        seen = read_conditions(looks, now)
        if not seen.worked and not seen.is_limited:
            continue
        told = usage_foretells(seen, now)
        error = limits_tested(looks, now) if told.outcome == "crosses" else {}
        yield _usage_limit(host, AGENT + target, told, error, (now, run))


def _usage_limit(
    host: str, subject: str, told: UsageLimit, error: Mapping[str, Any], when: tuple[float, str]
) -> Predicted:
    now, run = when
    return Predicted(
        event=f"{run}-{host}-{subject}-usage",
        run=run,
        at=now,
        host=host,
        subject=subject,
        kind="usage-limit",
        outcome=told.outcome,
        crosses_at=told.hits_at,
        earliest=told.earliest,
        latest=told.latest,
        value=told.worked,
        limit=told.usual,
        samples=told.hits,
        method="working-time",
        error=error,
        summary=usage_words(subject, told, error, now),
    )


def _conditions(history: History, hosts: Collection[str], now: float) -> dict[tuple[str, str], list[tuple[float, str]]]:
    """What the looks saw of each agent that was at its limit at some time, oldest first."""
    from sqlalchemy import Text, cast, select  # noqa: PLC0415 - dear

    from miyabi.history_tables import TABLES  # noqa: PLC0415
    from miyabi.records import Observation  # noqa: PLC0415

    seen = TABLES[Observation].c
    text = cast(seen.agents, Text)
    recent = (seen.at >= now - LOOK_BACK, seen.at <= now)

    def asked(connection: Connection) -> dict[tuple[str, str], list[tuple[float, str]]]:
        limited = select(seen.host).distinct().where(*recent, text.contains(f'"{LIMITED}"'))
        meant = [host for (host,) in connection.execute(limited) if host in hosts]
        found: dict[tuple[str, str], list[tuple[float, str]]] = {}
        rows = select(seen.host, seen.at, text).where(*recent, seen.host.in_(meant)).order_by(seen.id)
        # Most looks see what the one before saw.
        read = cache(_mapping)
        for host, at, agents in connection.execute(rows) if meant else ():
            for target, condition in read(agents).items():
                found.setdefault((host, target), []).append((at, condition))
        return {key: looks for key, looks in found.items() if any(each == LIMITED for _, each in looks)}

    return history.ask(asked)


def _mapping(agents: str | None) -> Mapping[str, str]:
    """The condition of each agent; {} for what makes no sense."""
    with suppress(ValueError):
        read = json.loads(agents or "{}")
        return {target: str(condition) for target, condition in read.items()} if isinstance(read, dict) else {}
    return {}
