"""A report as JSON: keys that stay, moments in ISO 8601, durations in seconds, null for what is not known. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from miyabi.figures import Availability, Budget, IncidentStory
from miyabi.masking import masked, plain
from miyabi.predicted import Predicted
from miyabi.reports.report import Capacity, HostFigures, Report
from miyabi.words import iso

# It changes when a key goes or means something else.
FORM = 1


def json_of(report: Report) -> str:
    """The report's text, with a newline at its end."""
    return json.dumps(_clean(mapping_of(report)), ensure_ascii=False, indent=2) + "\n"


def mapping_of(report: Report) -> dict[str, Any]:
    """The report as plain values; what was written by others is in it as it was written."""
    return {
        "form": FORM,
        "report": report.span.name,
        "period": report.span.period,
        "label": report.span.label,
        "since": iso(report.span.since),
        "until": iso(report.until),
        "so_far": report.is_so_far,
        "made_at": iso(report.at),
        "sentence": report.sentence,
        "runs": dict(report.runs),
        "fleet": {**_availability(report.fleet), "before": _availability(report.fleet_before)},
        "budget": _budget(report.budget),
        "hosts": [_host(each) for each in report.hosts],
        "stretches": [
            {
                "since": iso(each.since),
                **_availability(each.seen),
                "repairs": each.repairs,
                "failed": each.failed,
            }
            for each in report.stretches
        ],
        "levels": [asdict(each) for each in report.levels],
        "causes": [{"cause": cause, "failures": number} for cause, number in report.causes.items()],
        "incidents": [_incident(each) for each in report.incidents],
        "held": [
            {"host": each.host, "target": each.target, "level": each.level, "why": each.why, "times": times}
            for each, times in report.held
        ],
        "agents": [{"host": each.host, "target": each.target, "seconds": dict(each.seconds)} for each in report.agents],
        "trends": [{**asdict(each), "difference": each.difference} for each in report.trends],
        "capacity": [_capacity(each) for each in report.capacity],
        "costs": _costs(report),
        "commits": None if report.commits is None else _commits(report),
        "work": None if report.work is None else _work(report),
        "learned": [asdict(each) for each in report.learned],
        "missing": [asdict(each) for each in report.missing],
        "recommendations": [asdict(each) for each in report.recommendations],
    }


def _availability(seen: Availability) -> dict[str, float | None]:
    return {"percent": seen.percent, **asdict(seen)}


def _budget(budget: Budget) -> dict[str, float | None]:
    return {**asdict(budget), "left": budget.left}


def _host(each: HostFigures) -> dict[str, Any]:
    return {
        "host": each.host,
        **_availability(each.seen),
        "before": _availability(each.before),
        "budget": _budget(each.budget),
    }


def _incident(each: IncidentStory) -> dict[str, Any]:
    told = asdict(each)
    done = [{**deed, "at": iso(deed["at"])} for deed in told["done"]]
    return {**told, "opened_at": iso(each.opened_at), "closed_at": iso(each.closed_at), "done": done}


def _capacity(each: Capacity) -> dict[str, Any]:
    series = each.series
    points = [] if series is None else list(zip(series.at, series.low, series.mean, series.high, strict=True))
    return {
        "host": each.host,
        "measure": each.measure,
        "points": [{"at": iso(at), "low": low, "mean": mean, "high": high} for at, low, mean, high in points],
        "foretold": None if each.predicted is None else _predicted(each.predicted),
    }


def _predicted(told: Predicted) -> dict[str, Any]:
    moments = {name: iso(getattr(told, name)) for name in ("at", "crosses_at", "earliest", "latest")}
    known = {name: getattr(told, name) for name in ("outcome", "value", "limit", "samples", "method", "summary")}
    return {**moments, **known, "error": dict(told.error)}


def _costs(report: Report) -> dict[str, Any]:
    return {
        "currency": report.currency,
        "known": sum(each.cost or 0.0 for each in report.costs),
        "instances": [{**asdict(each), "cost": each.cost} for each in report.costs],
    }


def _commits(report: Report) -> dict[str, Any]:
    made = report.commits
    if made is None:
        return {}
    return {
        "total": made.total,
        "repositories": [{"repository": name, "commits": number} for name, number in made.by_repository.items()],
        "agents": [
            {"agent": agent, "commits": sum(counts.values()), "repositories": dict(counts)}
            for agent, counts in made.by_agent.items()
        ],
    }


def _work(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "repository": each.repository,
            "closed": [{**asdict(item), "at": iso(item.at)} for item in each.closed],
            "merged": [{**asdict(item), "at": iso(item.at)} for item in each.merged],
        }
        for each in report.work or ()
    ]


def _clean(value: Any) -> Any:
    """Without secrets, and without what a terminal would act on."""
    if isinstance(value, str):
        return masked(plain(value))
    if isinstance(value, Mapping):
        return {_clean(key): _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value
