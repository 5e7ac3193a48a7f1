"""Makes a report of what the history and the other sources say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import TYPE_CHECKING

from miyabi import history_figures as figures
from miyabi.availability import budget_of, fleet_availability
from miyabi.figures import MEASURES, Availability, Deed
from miyabi.history_queries import MISSING
from miyabi.monitoring import DAY, Monitoring, Slo
from miyabi.overview import SUBJECTS
from miyabi.predicted import Predicted
from miyabi.records import RunEnded, RunStarted
from miyabi.reports.instance_hours import hours_reached
from miyabi.reports.past import Asked, Past, past_of, trends_of
from miyabi.reports.phrasing import sentence_of
from miyabi.reports.pieces import Pieces
from miyabi.reports.recommending import recommendations
from miyabi.reports.report import (
    Capacity,
    HostFigures,
    InstanceCost,
    Missing,
    Report,
    Stretch,
)
from miyabi.reports.span import Span, before, stretches

if TYPE_CHECKING:
    from miyabi.history import History

# Seconds after which nothing that was foretold is of any use, and over which it is looked for.
_PREDICTIONS = 7 * DAY
# Seconds of which what was learned is told.
_LEARNED = 30 * DAY
_STEPS = {"daily": 3600.0, "weekly": 6 * 3600.0, "monthly": DAY}


def gather(  # noqa: PLR0913 - what is told of, by whom, and for whom
    history: History, monitoring: Monitoring, span: Span, asked: Asked, *, now: float, zone: tzinfo | None = None
) -> Report:
    """The report of a span, or of as much of it as is over.

    + now: seconds since the epoch
    + zone: of the reader; None is this machine's
    """
    until = max(min(span.until, now), span.since)
    earlier = before(span, zone)
    # A month that has come half way is compared with the first half of the one before.
    earlier_until = earlier.until if until == span.until else min(earlier.since + until - span.since, earlier.until)
    drawn = tuple((name, begin, min(end, until)) for name, begin, end in stretches(span, zone) if begin < until)
    promised_since = until - monitoring.slo.over
    edges = (span.since, until, earlier.since, earlier_until, promised_since, *(begin for _, begin, _ in drawn))
    pieces = Pieces(history, edges)
    this = past_of(history, asked, pieces, span.since, until)
    that = past_of(history, asked, pieces, earlier.since, earlier_until)
    promised = pieces.between(promised_since, until)
    done = figures.deeds(history, span.since, until)
    costs, unpriced = _costs(history, monitoring, asked, span.since, until)
    report = Report(
        span=span,
        at=now,
        until=until,
        sentence="",
        looked=_looked(this.fleet),
        before_looked=_looked(that.fleet),
        runs=_runs(history, span.since, until),
        fleet=this.fleet,
        fleet_before=that.fleet,
        budget=budget_of(fleet_availability(promised.values()), monitoring.slo),
        hosts=_hosts({*asked.hosts, *this.availability}, this, that, promised, monitoring.slo),
        stretches=_stretches(pieces, drawn, done),
        levels=this.levels,
        causes=this.causes,
        incidents=this.incidents,
        held=_held(done),
        agents=tuple(sorted(this.agents, key=lambda each: -each.seconds.get("working", 0.0))),
        trends=trends_of(this, that, span.since, earlier.since),
        capacity=_capacity(history, span, until, now),
        costs=costs,
        currency=monitoring.reports.currency,
        commits=this.commits,
        work=this.work,
        learned=figures.learned(history, until - _LEARNED, until),
        missing=(*asked.missing, *unpriced),
    )
    report = replace(report, recommendations=recommendations(report, done, monitoring.predictions.horizon))
    return replace(report, sentence=sentence_of(report))


def _looked(fleet: Availability) -> float:
    return fleet.up + fleet.down


def _runs(history: History, since: float, until: float) -> dict[str, int]:
    begun = {each.run for each in history.records(RunStarted, since=since, until=until)}
    # A run that began at the very end has ended after it.
    ends = {each.run: each.outcome for each in history.records(RunEnded, since=since, until=until + DAY)}
    return dict(Counter(ends.get(run, "cut short") for run in begun).most_common())


def _hosts(
    names: Collection[str], this: Past, that: Past, promised: Mapping[str, Availability], slo: Slo
) -> tuple[HostFigures, ...]:
    """Each host, the least available first; those that nobody looked at last."""
    found = [
        HostFigures(host, this.of(host), that.of(host), budget_of(promised.get(host, Availability()), slo))
        for host in names
    ]
    return tuple(sorted(found, key=lambda each: (_percent(each.seen), each.host)))


def _percent(seen: Availability) -> float:
    return 101.0 if seen.percent is None else seen.percent


def _stretches(pieces: Pieces, drawn: Iterable[tuple[str, float, float]], done: Iterable[Deed]) -> tuple[Stretch, ...]:
    tries = [each for each in done if each.what != "held" and each.cause != MISSING]
    found = []
    for name, begin, end in drawn:
        some = [each for each in tries if begin <= each.at < end]
        failed = sum(each.what == "failed" for each in some)
        seen = fleet_availability(pieces.between(begin, end).values())
        found.append(Stretch(name, begin, seen, len(some), failed))
    return tuple(found)


def _held(done: Iterable[Deed]) -> tuple[tuple[Deed, int], ...]:
    """What was held, with how often it was held anew; the most frequent first."""
    last: dict[tuple[str, str, str], Deed] = {}
    times: Counter[tuple[str, str, str]] = Counter()
    for each in done:
        if each.what == "held":
            case = (each.host, each.target, each.why.partition(":")[0])
            last.setdefault(case, each)
            times[case] += 1
    return tuple((last[case], count) for case, count in times.most_common())


def _capacity(history: History, span: Span, until: float, now: float) -> tuple[Capacity, ...]:
    """What is foretold to cross its limit first, then what is fullest."""
    series = figures.usage_series(history, span.since, until, _STEPS[span.period])
    # What is foretold today is none of the business of a report of last year.
    foretold = figures.last_predictions(history, now - _PREDICTIONS) if until >= now - _PREDICTIONS else {}
    found = []
    for measure in MEASURES:
        hosts = {host for host, which in series if which == measure}
        hosts |= {host for host, subject in foretold if subject == SUBJECTS[measure]}
        found += [
            Capacity(host, measure, series.get((host, measure)), foretold.get((host, SUBJECTS[measure])))
            for host in hosts
        ]
    return tuple(sorted(found, key=_urgency))


def _urgency(each: Capacity) -> tuple[float, float, str, str]:
    crosses = _crosses_at(each.predicted)
    left = 200.0
    if each.series is not None:
        left = 100 - max(each.series.high) if each.measure == "disk_used" else min(each.series.low)
    return (float("inf") if crosses is None else crosses, left, each.host, each.measure)


def _crosses_at(predicted: Predicted | None) -> float | None:
    return predicted.crosses_at if predicted is not None and predicted.outcome == "crosses" else None


def _costs(
    history: History, monitoring: Monitoring, asked: Asked, since: float, until: float
) -> tuple[tuple[InstanceCost, ...], tuple[Missing, ...]]:
    instances = asked.instances or {}
    prices = monitoring.reports.prices
    hours = hours_reached(history, instances, since, until)
    found = [
        InstanceCost(host, instance_id, kind, hours[host], prices.get(kind))
        for host, (instance_id, kind) in sorted(instances.items())
    ]
    untyped = [each.host for each in found if not each.instance_type]
    missing = [
        Missing(f"the type of instance {host}", "neither EC2's last answer nor the inventory has it")
        for host in untyped
    ]
    unpriced = sorted(
        {each.instance_type for each in found if each.instance_type and each.price is None and each.hours}
    )
    missing += [
        Missing(f"the price of {kind}", f"not in inventory/fleet.yaml: reports: {{prices: {{{kind}: ...}}}}")
        for kind in unpriced
    ]
    ordered = sorted(found, key=lambda each: (-(each.cost or 0.0), -each.hours, each.host))
    return tuple(ordered), tuple(missing)
