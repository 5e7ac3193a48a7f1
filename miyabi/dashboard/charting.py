"""What the charts are drawn from: numbers alone, as JSON in an attribute; the page's script draws them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite

from miyabi.dashboard.standing import key_of
from miyabi.figures import Chart, Overview

MEASURES = {"disk_used": "disk used", "memory_available": "memory available"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart as it is drawn.

    + key: names it in the page
    + title: what is measured
    + last: the newest value, in percent; None when there is none
    + numbers: JSON: ``at``, ``mean``, ``far`` (the highest, or the lowest, of what shrinks), ``limit``, ``shrinks``,
      ``crosses``, and the forecast's ``ahead``, ``value``, ``low``, ``high``
    """

    key: str
    chart: Chart
    title: str
    last: float | None
    numbers: str


def charts_of(overview: Overview) -> list[Drawn]:
    """All charts; those first that reach their limit soonest, then as the hosts come."""
    place = {each.host: number for number, each in enumerate(overview.hosts)}
    charts = sorted(
        (each for each in overview.charts if each.points or each.forecast),
        key=lambda each: (each.crosses_at or inf, place.get(each.host, len(place)), each.host, each.measure),
    )
    return [_drawn(each) for each in charts]


def _drawn(chart: Chart) -> Drawn:
    points = [each for each in chart.points if isfinite(each[0])]
    known = [each[1] for each in points if isfinite(each[1])]
    ahead = [each for each in chart.forecast if all(map(isfinite, each))]
    numbers = {
        "at": [round(each[0]) for each in points],
        "mean": _rounded(each[1] for each in points),
        "far": _rounded(each[2] for each in points),
        "ahead": [round(each[0]) for each in ahead],
        "value": _rounded(each[1] for each in ahead),
        "low": _rounded(each[2] for each in ahead),
        "high": _rounded(each[3] for each in ahead),
        "limit": chart.limit if chart.limit is None or isfinite(chart.limit) else None,
        "crosses": chart.crosses_at if chart.crosses_at is None or isfinite(chart.crosses_at) else None,
        "shrinks": chart.measure == "memory_available",
    }
    told = json.dumps(numbers, separators=(",", ":"), allow_nan=False)
    key = key_of(f"{chart.measure} {chart.host}")
    return Drawn(key, chart, MEASURES.get(chart.measure, chart.measure), known[-1] if known else None, told)


def _rounded(values: Iterable[float]) -> list[float | None]:
    return [round(each, 1) if isfinite(each) else None for each in values]
